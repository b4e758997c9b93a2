"""The job outlives the screens, whatever ends them; the next start finds it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.setup import create_run
from evomerge_core.run.view.overview import RunOverview
from evomerge_tui.processes import job
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.dialogs.leaving import Leaving
from support.screen_tools import click_text, make_app, shown, table, until
from support.tiny_run import write_recipe

if sys.platform != "win32":
    from support.ui_process import Terminal

on_terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals of this kind")


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Path]:
    """A run whose job is at work."""
    run = create_run(load_recipe(write_recipe(tmp_path, budget={"evaluations": 40000})), out=tmp_path / "run")
    job.start(run)
    assert is_held(run)
    yield run
    if is_held(run):
        job.end_now(run)


@pytest.mark.anyio
async def test_detaching_is_the_first_answer_and_leaves_the_job_at_work(at_work: Path) -> None:
    app = make_app(at_work.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "running" in shown(app))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Leaving))
        assert app.focused is not None
        assert app.focused.id == "detach"
        await pilot.press("enter")
        await until(pilot, lambda: app.return_code is not None or not app.is_running)
    assert is_held(at_work)


@pytest.mark.anyio
async def test_cancelling_stays_and_stopping_stops(at_work: Path) -> None:
    app = make_app(at_work.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "running" in shown(app))
        await pilot.press("ctrl+q")
        await click_text(pilot, "Cancel")
        await until(pilot, lambda: not isinstance(app.screen, Leaving))
        assert app.is_running
        await pilot.press("ctrl+q")
        await click_text(pilot, "Stop after this candidate")
        await until(pilot, lambda: app.return_code is not None or not app.is_running)
    deadline = time.monotonic() + 60
    while is_held(at_work) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_held(at_work)


@pytest.mark.anyio
async def test_the_next_start_offers_the_run_that_is_at_work(at_work: Path, tmp_path: Path) -> None:
    """From another folder too: runs that were started here are known."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    app = make_app(elsewhere, runs_folder=str(elsewhere))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "running: press enter to watch" in shown(app))
        row = table(app, "run-list").row
        assert isinstance(row, RunOverview)
        assert row.folder == at_work
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen) and "● running" in shown(app))


@on_terminals
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killing_the_screens_leaves_the_job_at_work(at_work: Path, number: signal.Signals) -> None:
    terminal = Terminal(at_work.parent)
    terminal.wait_for("is running")
    os.kill(terminal.pid, number)
    status = terminal.wait_end()
    assert status == (-signal.SIGKILL if number == signal.SIGKILL else 129)
    assert is_held(at_work)
    again = Terminal(at_work.parent)
    again.wait_for("is running")
    again.type("\x11")  # ctrl+q
    again.wait_for("Detach")
    again.type("\r")
    assert again.wait_end() == 0
    assert is_held(at_work)


@on_terminals
def test_a_terminal_that_goes_away_takes_the_screens_along(tmp_path: Path) -> None:
    """With SIGHUP ignored before the start too: a UI that outlives its terminal would read nothing at full speed."""
    terminal = Terminal(tmp_path, before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN) and None)
    terminal.wait_for("Breed language models")
    os.close(terminal.fd)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if os.waitpid(terminal.pid, os.WNOHANG)[0]:
            return
        time.sleep(0.05)
    os.kill(terminal.pid, signal.SIGKILL)
    raise AssertionError("the UI is still there without its terminal")


@on_terminals
def test_resizing_below_the_least_size_shows_a_notice_and_comes_back(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.wait_for("Breed language models")
    terminal.resize((38, 15))
    terminal.wait_for("needs 40x20")
    terminal.resize((80, 24))
    terminal.wait_for("Breed language models")
    terminal.type("q")
    assert terminal.wait_end() == 0


@on_terminals
def test_colour_settings_reach_child_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual takes NO_COLOR for itself; commands that the screens start must see it too."""
    from evomerge_tui.processes.command_process import run_command

    monkeypatch.setenv("NO_COLOR", "1")
    make_app(tmp_path)
    found = {check["name"]: check["found"] for check in run_command(("doctor",))["checks"]}
    assert "NO_COLOR" in found["terminal colours"]
