"""Nothing that took more than seconds ends by one key: it asks, and going on is the first answer."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.run_folder.names import STORE
from evomerge_tui.processes.command_process import run_command
from evomerge_tui.screens.dialogs import starting, under_way
from evomerge_tui.screens.dialogs.confirm import Confirm
from evomerge_tui.screens.dialogs.starting import Starting
from evomerge_tui.screens.export import export
from evomerge_tui.screens.export.export import ExportScreen
from support.screen_tools import click_text, make_app, shown, until
from support.tiny_run import write_recipe

pytestmark = pytest.mark.anyio
Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything has taken long as soon as it has begun."""
    monkeypatch.setattr(under_way, "_SECONDS", -1.0)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What became of an export that never ends by itself."""
    ends: list[str] = []

    async def lines(words: Sequence[object], **_: object) -> AsyncIterator[dict[str, Any]]:
        if "--plan" in words:
            return
        yield {"step": "converting", "share": 0.5}
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("ended")

    monkeypatch.setattr(export, "command_lines", lines)
    return ends


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("key", ["escape", "q", "ctrl+q", "x"])
async def test_no_key_alone_ends_an_export(key: str, finished: Finished, ended: list[str]) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(100, 30)) as pilot:
        app.open_export(finished[0])
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        await pilot.press("s")
        await until(pilot, lambda: "● converting" in shown(app))
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Confirm) and "The export of" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        assert not ended
        await pilot.press(key, "tab", "enter")
        await until(pilot, lambda: ended)


async def test_the_mouse_is_asked_too_and_an_export_of_seconds_is_not(
    finished: Finished, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(120, 30)) as pilot:
        app.open_export(finished[0])
        await click_text(pilot, "Start")
        await until(pilot, lambda: "● converting" in shown(app))
        monkeypatch.setattr(under_way, "_SECONDS", -1.0)
        await click_text(pilot, "esc Back")
        await click_text(pilot, "Go on")
        assert not ended
        monkeypatch.setattr(under_way, "_SECONDS", 1e9)
        await click_text(pilot, "esc Back")
        await until(pilot, lambda: ended and not isinstance(app.screen, ExportScreen))


async def test_a_start_that_is_cancelled_leaves_no_job_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled when the run is there and its job about to start: the job is ended, and that is said."""
    recipe, folder = write_recipe(tmp_path, budget={"evaluations": 40000}), tmp_path / "run"
    is_made, go_on = threading.Event(), threading.Event()

    def carry_out(words: Sequence[object], *, is_cancelled: Callable[[], bool]) -> dict[str, Any]:
        answer = run_command(words, is_cancelled=is_cancelled)
        is_made.set()
        assert go_on.wait(60)
        return answer

    monkeypatch.setattr(starting, "run_command", carry_out)
    app, closed = make_app(tmp_path), []
    async with app.run_test(size=(100, 30)) as pilot:
        app.push_screen(Starting("tiny", folder, ("run", recipe)), closed.append)
        await until(pilot, is_made.is_set, 120)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Confirm) or "Cancelling" in shown(app))
        if isinstance(app.screen, Confirm):
            await pilot.press("tab", "enter")
        await until(pilot, lambda: "Cancelling" in shown(app))
        go_on.set()
        await until(pilot, lambda: closed)
        assert "its job was stopped" in app.last_message
    assert closed == [None]
    assert (folder / STORE).exists()
    assert not is_held(folder)


@pytest.mark.usefixtures("long")
async def test_a_run_that_starts_while_it_is_asked_about_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def carry_out(_: Sequence[object], **__: object) -> dict[str, Any]:
        assert go_on.wait(60)
        return {"run": str(tmp_path / "run")}

    monkeypatch.setattr(starting, "run_command", carry_out)
    app, closed = make_app(tmp_path), []
    async with app.run_test(size=(100, 30)) as pilot:
        dialog = Starting("tiny", tmp_path / "run", ("run", "recipe.yaml"))
        app.push_screen(dialog, closed.append)
        await until(pilot, lambda: app.screen is dialog)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        go_on.set()
        await until(pilot, lambda: dialog._started is not None)
        await pilot.press("enter")
        await until(pilot, lambda: closed)
    assert closed == [tmp_path / "run"]


async def test_a_start_is_cancelled_before_there_is_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def carry_out(_: Sequence[object], *, is_cancelled: Callable[[], bool]) -> dict[str, Any]:
        while not is_cancelled():
            threading.Event().wait(0.02)
        raise InputError("cancelled")

    monkeypatch.setattr(starting, "run_command", carry_out)
    app, closed = make_app(tmp_path), []
    async with app.run_test(size=(100, 30)) as pilot:
        app.push_screen(Starting("tiny", tmp_path / "run", ("run", "recipe.yaml")), closed.append)
        await click_text(pilot, "Cancel")
        await until(pilot, lambda: closed)
    assert closed == [None]
