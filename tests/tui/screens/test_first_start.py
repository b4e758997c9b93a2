"""The tour of the first start; notices when a run ends; the meters' last minute."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from evomerge_core.run.run_folder.lock import hold
from evomerge_tui.app import EvomergeApp
from evomerge_tui.screens.dashboard.meters import LastMinute
from evomerge_tui.screens.dialogs.tour import STEPS, Tour
from evomerge_tui.screens.home import HomeScreen
from evomerge_tui.screens.new_run.screen import NewRunScreen
from evomerge_tui.screens.run_endings import RunEndings
from evomerge_tui.terminal.desktop_notice import notice_sequence
from evomerge_tui.user.settings import Settings
from evomerge_tui.user.user_paths import tour_path
from support.screen_tools import machine, make_app, shown, until
from support.ui_process import Terminal

QUICKSTART = Path(__file__).parents[1] / "data" / "quickstart"


def first_start(folder: Path) -> EvomergeApp:
    return EvomergeApp(Settings(animations=False), folder=folder, sense=machine, tour=not tour_path().exists())


@pytest.mark.anyio
async def test_enter_leads_through_six_steps_and_they_never_come_back(tmp_path: Path) -> None:
    app = first_start(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        for number, (title, _) in enumerate(STEPS, 1):
            await until(pilot, lambda number=number, title=title: f"{number} of 6: {title}" in shown(app))
            # the screen that it is about shows above it
            await until(pilot, lambda: "Quickstart" in app.export_screenshot())
            await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    again = first_start(tmp_path)
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(again))
        await asyncio.sleep(0.2)
        assert isinstance(again.screen, HomeScreen)
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(again.screen, Tour))


@pytest.mark.anyio
async def test_any_other_key_leaves_the_tour_and_does_what_it_does(tmp_path: Path) -> None:
    app = first_start(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, Tour))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        assert not any(isinstance(screen, Tour) for screen in app.screen_stack)


@pytest.mark.anyio
async def test_who_has_runs_needs_no_tour(tmp_path: Path) -> None:
    shutil.copytree(QUICKSTART, tmp_path / "run")
    app = first_start(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "finished" in shown(app))
        await asyncio.sleep(0.2)
        assert isinstance(app.screen, HomeScreen)


def set_state(run: Path, state: str) -> None:
    connection = sqlite3.connect(run / "run.db")
    with connection:
        connection.execute("UPDATE facts SET value = ? WHERE key = 'state'", (json.dumps(state),))
    connection.close()


def test_an_end_is_told_once_and_only_of_what_was_at_work() -> None:
    endings = RunEndings()
    states = ("finished", "running", "running", "finished", "finished", "running", "stopped", "starting", "failed")
    told = [endings.seen("run", "cross", state) for state in states]
    assert [sentence for sentence in told if sentence] == ["The run cross is finished", "The run cross has failed"]
    assert [place for place, sentence in enumerate(told) if sentence] == [3, 8]


@pytest.mark.parametrize("environment", [{}, {"TERM": "foot"}, {"VTE_VERSION": "7600"}])
def test_no_name_can_end_a_notice_or_begin_another(environment: dict[str, str]) -> None:
    sent = notice_sequence("The run a\x07\x1b]52;c;eA==\x1b\\;\x9c b is finished", environment)
    begin, end = ("\x1b]777;notify;evomerge-tui;", "\x1b\\") if environment else ("\x1b]9;evomerge-tui: ", "\x07")
    assert sent.startswith(begin)
    assert sent.endswith(end)
    inside = sent.removeprefix(begin).removesuffix(end)
    assert inside.isprintable()
    assert ";" not in inside


@pytest.mark.parametrize("wanted", [True, False])
def test_the_terminal_is_told_when_a_run_ends(wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("VTE_VERSION", raising=False)
    if not wanted:
        (tmp_path / "config" / "evomerge-tui").mkdir(parents=True)
        (tmp_path / "config" / "evomerge-tui" / "settings.yaml").write_text("notices: false\n")
    run = tmp_path / "runs" / "run"
    shutil.copytree(QUICKSTART, run)
    set_state(run, "running")
    with hold(run):
        terminal = Terminal(tmp_path)
        terminal.wait_for("running")
        set_state(run, "finished")
        terminal.wait_for("The run quickstart is finished")
    terminal.type("q")
    assert terminal.wait_end() == 0
    assert (b"\x1b]9;evomerge-tui: The run quickstart is finished\x07" in terminal._raw) == wanted


def test_the_last_minute_is_twelve_cells_of_five_seconds() -> None:
    past = LastMinute()
    assert past.cells("CPU", 0.0) == " " * 12
    for second in range(120):
        past.add(1000.0 + second, {"CPU": 1.0 if second == 100 else 0.0})
    cells = past.cells("CPU", 1119.0)
    assert len(cells) == 12
    assert cells == "▁" * 8 + "█" + "▁" * 3
    assert past.cells("CPU", 1119.0 + 30)[-6:] == " " * 6
    assert past.cells("RAM", 1119.0) == " " * 12


@pytest.mark.anyio
async def test_the_dashboard_shows_a_minute_of_each_meter(tmp_path: Path) -> None:
    shutil.copytree(QUICKSTART, tmp_path / "run")
    app = make_app(tmp_path)
    async with app.run_test(size=(160, 45)) as pilot:
        app.open_run(tmp_path / "run")
        await until(pilot, lambda: "VRAM" in shown(app))
        lines = {line.split()[0]: line for line in shown(app).replace("│", "\n").splitlines() if line.split()}
        assert "▃" in lines["CPU"]
        assert "3.2 GB of 12.0 GB" in lines["VRAM"]
