"""The dashboard: what the store says, and commands that a real job obeys."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.records import Outcome
from evomerge_tui.processes import job
from evomerge_tui.screens.candidate.candidate import CandidateScreen
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.dialogs.confirm import Confirm
from support.screen_tools import click_text, make_app, shown, table, until
from support.tiny_run import write_recipe

pytestmark = pytest.mark.anyio
Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


def searched(run: Path) -> list[tuple[str, float]]:
    """The children and references with their search scores, read from the store by other means."""
    rows = sqlite3.connect(run / "run.db").execute(
        "SELECT c.label, e.score FROM evaluations e JOIN candidates c ON c.id = e.candidate "
        "WHERE e.split = 'search' AND e.precision = 'nf4'"
    )
    return rows.fetchall()


def labels(app: object) -> list[str]:
    rows = table(app, "candidate-list").rows  # type: ignore[arg-type]
    return [row.label for row in rows if isinstance(row, Outcome)]


async def test_every_candidate_is_listed_with_its_score(finished: Finished) -> None:
    run = finished[0]
    app = make_app(run.parent)
    async with app.run_test(size=(160, 50)) as pilot:
        app.open_run(run)
        await until(pilot, lambda: "the child" in shown(app))
        rows = [row for row in table(app, "candidate-list").rows if isinstance(row, Outcome)]
        assert sorted((row.label, row.score) for row in rows) == sorted(searched(run))
        winner = json.loads((run / "winner" / "result.json").read_text())["winner"]
        assert rows[0].label == winner["name"], "the winner is not on top"
        first = next(line for line in shown(app).split("\n") if f"◆ {winner['name']}" in line)
        assert f"{100 * winner['test']:.1f} %" in first
        assert "test" in first


async def test_sorting_and_filtering_leave_the_cursor_on_its_row(finished: Finished) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(160, 50)) as pilot:
        app.open_run(finished[0])
        await until(pilot, lambda: len(labels(app)) == len(searched(finished[0])))
        await pilot.press("down", "down", "down")
        before = table(app, "candidate-list").row
        for key in ("o", "o", "i", "o"):
            await pilot.press(key)
            assert table(app, "candidate-list").row is before
        assert isinstance(before, Outcome)
        await pilot.press("slash", *before.label)
        kept = sorted(label for label, _ in searched(finished[0]) if before.label in label)
        await until(pilot, lambda: sorted(labels(app)) == kept)
        assert table(app, "candidate-list").row is before
        await pilot.press(*["backspace"] * len(before.label))
        await until(pilot, lambda: len(labels(app)) == len(searched(finished[0])))
        assert table(app, "candidate-list").row is before


async def test_a_click_on_a_title_sorts(finished: Finished) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(160, 50)) as pilot:
        app.open_run(finished[0])
        await until(pilot, lambda: len(labels(app)) == len(searched(finished[0])))
        await click_text(pilot, "Candidate ")
        assert labels(app) == sorted(labels(app))
        await click_text(pilot, "Candidate ▲")
        assert labels(app) == sorted(labels(app), reverse=True)


async def test_the_mouse_alone_reaches_panels_and_candidates(finished: Finished) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_run(finished[0])
        await click_text(pilot, "2 Candidates")
        await until(pilot, lambda: "Rests on" in shown(app))
        await click_text(pilot, "4 Log")
        await until(pilot, lambda: "finished" in shown(app) and "RAM" in shown(app))
        await click_text(pilot, "2 Candidates")
        await click_text(pilot, "g1.1", times=2)
        await until(pilot, lambda: isinstance(app.screen, CandidateScreen))


@pytest.fixture
def long_run(tmp_path: Path) -> Iterator[Path]:
    """A run that would take hours; its job is ended in any case."""
    recipe = load_recipe(write_recipe(tmp_path, budget={"evaluations": 40000}))
    run = create_run(recipe, out=tmp_path / "run")
    yield run
    if is_held(run):
        job.end_now(run)


async def test_a_real_job_is_started_paused_resumed_and_stopped_with_keys(long_run: Path) -> None:
    app = make_app(long_run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_run(long_run)
        await until(pilot, lambda: "○ created" in shown(app))
        await pilot.press("r")
        await until(pilot, lambda: "● running" in shown(app))
        await until(pilot, lambda: any(label.startswith("g") for label in labels(app)))
        await pilot.press("p")
        await until(pilot, lambda: "‖ paused" in shown(app))
        await pilot.press("r")
        await until(pilot, lambda: "● running" in shown(app))
        await pilot.press("s")
        await until(pilot, lambda: "■ stopped" in shown(app))
        assert not is_held(long_run)


async def test_a_real_job_is_started_and_ended_at_once_with_the_mouse(long_run: Path) -> None:
    app = make_app(long_run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_run(long_run)
        await click_text(pilot, "r Resume")
        await until(pilot, lambda: "● running" in shown(app))
        await until(pilot, lambda: any(label.startswith("g") for label in labels(app)))
        await click_text(pilot, "? Help")
        await click_text(pilot, "Stop now")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await click_text(pilot, "Stop now")
        await until(pilot, lambda: "▲ interrupted" in shown(app))
        assert not is_held(long_run)


async def test_the_time_left_is_a_range_from_recent_candidates(long_run: Path) -> None:
    job.start(long_run)
    app = make_app(long_run.parent)
    async with app.run_test(size=(140, 40)) as pilot:
        app.open_run(long_run)
        await until(pilot, lambda: " left" in shown(app))
        assert " h " in shown(app) or " days" in shown(app) or "min" in shown(app)


async def test_a_run_that_goes_away_is_reported_and_breaks_nothing(finished: Finished, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished[0], tmp_path / "gone"))
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_run(run)
        await until(pilot, lambda: "the child" in shown(app))
        (run / "run.db").unlink()
        await pilot.pause(1.0)
        assert isinstance(app.screen, DashboardScreen)
        app.open_run(run)
        await until(pilot, lambda: "run.db: is missing; `evomerge-tui resume" in app.last_message)
