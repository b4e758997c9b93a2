"""A fault in background work that nobody foresaw is told in a line and logged, and the screens go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import _work_decorator

from evomerge_core.run.run_folder import known_runs
from evomerge_tui.processes.planner.client import Planner
from evomerge_tui.screens.dialogs.help import HelpScreen
from evomerge_tui.screens.tells_faults import TellsFaults
from evomerge_tui.user import fault_log
from support.own_widgets import own_classes
from support.screen_tools import make_app, shown, until

pytestmark = pytest.mark.anyio


def fail(*_: object, **__: object) -> Any:
    raise KeyError("no such [thing]")


async def fail_soon(*_: object, **__: object) -> Any:
    fail()


@pytest.fixture
def log(own_runs: None) -> Callable[[], str]:  # noqa: ARG001
    """Reads the log and takes it away: no test may leave one."""

    def take() -> str:
        text = fault_log.fault_log_path().read_text(encoding="utf-8")
        fault_log.fault_log_path().unlink()
        return text

    return take


async def test_a_fault_in_a_thread_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]) -> None:
    monkeypatch.setattr(known_runs, "known_runs", fail)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "met a fault" in shown(app) and "KeyError('no such [thing]')" in app.last_message)
        assert str(fault_log.fault_log_path()) in app.last_message
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
    logged = log()
    assert "Traceback (most recent call last)" in logged
    assert "in _look" in logged


async def test_a_fault_beside_the_keys_is_told_once_and_ends_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]
) -> None:
    """Each of the steps asks the planner."""
    monkeypatch.setattr(Planner, "ask", fail_soon)
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run()
        await until(pilot, lambda: "KeyError('no such [thing]')" in app.last_message)
        await until(pilot, lambda: "1 Models" in shown(app) and app.focused is not None)
        await pilot.press("3")
        await until(pilot, lambda: "Candidates" in shown(app))
        await until(pilot, lambda: len([worker for worker in app.workers if worker.group == "methods"]) == 0)
    assert log().count("Traceback") == 1


async def test_a_fault_is_told_where_no_log_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(fault_log, "fault_log_path", lambda: tmp_path / "file" / "faults.log")
    monkeypatch.setattr(known_runs, "known_runs", fail)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "KeyError('no such [thing]')" in app.last_message)
        assert "Details" not in app.last_message


def test_whatever_works_in_the_background_tells_its_faults() -> None:
    file = _work_decorator.__file__
    working = [
        one
        for one in own_classes()
        if any(getattr(getattr(value, "__code__", None), "co_filename", "") == file for value in vars(one).values())
    ]
    assert len(working) > 20
    assert [one for one in working if not issubclass(one, TellsFaults)] == []


def test_the_log_stays_small_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state" / "faults.log"
    monkeypatch.setattr(fault_log, "fault_log_path", lambda: path)
    for _ in range(5):
        assert fault_log.log_fault(ValueError("x" * 2**19)) == path
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 3 * 2**20
    assert path.stat().st_mode & 0o077 == 0
