"""The archive of a run, with keys only: members, who solves what, families, coverage, and the way to a member."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.setup import create_run
from evomerge_core.run.view.archive import Archive, read_archive
from evomerge_tui.processes.job import work
from evomerge_tui.screens.archive.archive import ArchiveScreen
from evomerge_tui.screens.candidate.candidate import CandidateScreen
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.export.export import ExportScreen
from support.screen_tools import make_app, shown, table, until
from support.tiny_run import write_recipe

pytestmark = pytest.mark.anyio
TASK = {"name": "sevens", "file": "items.jsonl", "fields": {"question": "question"}, "prompt": "{question}",
        "gold": "{question}", "scorer": "regex", "pattern": "7", "max_new_tokens": 6}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bred")
    path = write_recipe(
        place,
        search_space={},
        tasks=[TASK],
        splits={"search": 16, "validation": 0, "test": 4},
        budget={"evaluations": 8},
        search={"algorithm": "niches", "archive": 5},
        evaluation={"precision": "fp32", "device": "cpu"},
    )
    folder = create_run(load_recipe(path), out=place / "run")
    assert work(folder) == 0
    return folder


@pytest.fixture(scope="module")
def archive(run: Path) -> Archive:
    with closing(read_store(run)) as store:
        found = read_archive(store)
    assert found is not None
    return found


async def test_everything_is_reached_from_the_dashboard_by_keys(run: Path, archive: Archive) -> None:
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(DashboardScreen(run))
        await until(pilot, lambda: "a Archive" in shown(app))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ArchiveScreen))
        await until(pilot, lambda: len(table(app, "member-list").rows) == len(archive.members))
        assert f"{100 * archive.coverage[-1].archive:.1f} % together" in shown(app)
        assert all(one.label in shown(app) for one in archive.members)

        await pilot.press("2")
        await until(pilot, lambda: "".join("#" if score else "." for score in _hardest_first(archive)[0]) in shown(app))
        row = table(app, "member-list").row
        await pilot.press("3")
        await until(pilot, lambda: all(parent in shown(app) for parent in row.parents))  # type: ignore[attr-defined]
        await pilot.press("4")
        await until(pilot, lambda: f"{archive.coverage[-1].generation}  #" in shown(app))

        await pilot.press("1", "enter")
        await until(pilot, lambda: isinstance(app.screen, CandidateScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ArchiveScreen))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ArchiveScreen))
        await pilot.press("r", "escape")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))


def _hardest_first(archive: Archive) -> list[list[float]]:
    totals = [(sum(scores), number) for number, scores in enumerate(zip(*archive.scores, strict=True))]
    return [[scores[number] for _, number in sorted(totals)] for scores in archive.scores]


async def test_a_small_terminal_shows_the_members_too(run: Path, archive: Archive) -> None:
    app = make_app(run.parent)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ArchiveScreen(run))
        await until(pilot, lambda: archive.members[0].label in shown(app))


async def test_a_run_that_breeds_nothing_has_no_such_key(tmp_path: Path) -> None:
    folder = create_run(load_recipe(write_recipe(tmp_path)), out=tmp_path / "run")
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(DashboardScreen(folder))
        await until(pilot, lambda: "Resume" in shown(app))
        await pilot.press("a")
        assert isinstance(app.screen, DashboardScreen)
        assert "Archive" not in shown(app)
