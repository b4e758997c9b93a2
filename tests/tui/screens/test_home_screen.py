"""Home: lists runs as their stores tell them, opens, duplicates and deletes them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from platformdirs import user_state_path

from evomerge_core.run.run_folder.known_runs import known_runs, remember
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.dialogs.confirm import Confirm
from support.screen_tools import click_text, make_app, shown, table, until

pytestmark = pytest.mark.anyio
Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


@pytest.fixture
def place(finished: Finished, tmp_path: Path) -> Path:
    """A folder with one finished run in it."""
    shutil.copytree(finished[0], tmp_path / "mine")
    return tmp_path


async def test_a_run_stands_in_its_line_with_its_scores(place: Path) -> None:
    result = json.loads((place / "mine" / "winner" / "result.json").read_text())
    best = f"{100 * result['winner']['test']:.1f} %"
    parent = f"{100 * max(known['test'] for known in result['parents']):.1f} %"
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "finished" in shown(app) and "NVIDIA" in shown(app))
        line = next(line for line in shown(app).splitlines() if "finished" in line)
        assert "tiny" in line
        assert best in line
        assert parent in line
        assert "18/18" in line
        assert "NVIDIA Test 12" in shown(app)


async def test_keys_open_a_run_and_come_back(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: table(app, "run-list").row)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await pilot.press("escape")
        await until(pilot, lambda: "Ready recipes" in shown(app))


async def test_the_mouse_opens_a_run_and_comes_back(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: table(app, "run-list").row)
        await click_text(pilot, "tiny", times=2)
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await until(pilot, lambda: "esc Back" in shown(app))
        await click_text(pilot, "esc Back")
        await until(pilot, lambda: "Ready recipes" in shown(app))


async def test_deleting_asks_and_the_safe_answer_has_the_focus(place: Path) -> None:
    (place / "mine" / "thesis.txt").write_text("precious")
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: table(app, "run-list").row)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, Confirm))
        assert (place / "mine" / "run.db").is_file()
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await until(pilot, lambda: "Delete the run" in shown(app))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: not (place / "mine" / "run.db").exists())
        await until(pilot, lambda: app.screen.has_class("-empty"))
    assert [path.name for path in (place / "mine").iterdir()] == ["thesis.txt"], "what is not the run's was touched"


async def test_without_runs_the_quickstart_is_offered(tmp_path: Path) -> None:
    app = make_app(tmp_path, runs_folder=str(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Breed language models" in shown(app))
        assert app.focused is not None
        assert app.focused.id == "quickstart"


@pytest.mark.parametrize(("name", "words"), [("quickstart", ()), ("quickstart-vlm", ("--vlm",))])
async def test_keys_start_a_quickstart_and_open_its_run(
    name: str, words: tuple[str, ...], finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(finished[0], tmp_path / "elsewhere" / "run")
    carried_out: list[Sequence[object]] = []

    def carry_out(told: Sequence[object], **_: object) -> dict[str, str]:
        carried_out.append(told)
        return {"run": str(run)}

    monkeypatch.setattr("evomerge_tui.screens.dialogs.starting.run_command", carry_out)
    (tmp_path / "runs").mkdir()
    app = make_app(tmp_path / "runs", runs_folder=str(tmp_path / "runs"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "Breed language models" in shown(app) and "quickstart-vlm" in shown(app))
        while app.focused is None or app.focused.id != "recipe-list":
            await pilot.press("tab")
        while table(app, "recipe-list").row.name != name:
            await pilot.press("down")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
    assert carried_out == [("quickstart", *words, "--out", tmp_path / "runs" / name, "--detach")]


async def test_a_run_that_cant_be_read_says_why_and_breaks_nothing(place: Path) -> None:
    broken = place / "broken"
    broken.mkdir()
    (broken / "run.db").write_bytes(b"this is no database" * 100)
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "unreadable" in shown(app))
        await pilot.press("end", "enter")
        await until(pilot, lambda: "not a database" in app.last_message)


async def test_a_broken_recipe_hides_no_other_run(place: Path) -> None:
    shutil.copytree(place / "mine", place / "broken")
    (place / "broken" / "recipe.yaml").write_text("name: [\n")
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "unreadable" in shown(app) and "finished" in shown(app))
        await pilot.press("end", "enter")
        await until(pilot, lambda: app.last_message.startswith(f"{place / 'broken' / 'recipe.yaml'}:2: not valid YAML"))


async def test_a_broken_list_of_runs_is_said_and_hides_no_run(place: Path) -> None:
    remember(place / "mine")
    listed = user_state_path("evomerge-tui", appauthor=False) / "runs.json"
    listed.write_text("{")
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "finished" in shown(app))
        assert app.last_message.startswith(f"{listed}: isn't a list of runs any more")


def test_a_started_run_is_found_from_anywhere_until_it_is_gone(place: Path, tmp_path: Path) -> None:
    remember(place / "mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert (place / "mine").absolute() in known_runs(elsewhere)
    shutil.rmtree(place / "mine")
    assert known_runs(elsewhere) == ()
