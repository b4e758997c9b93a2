"""Runs, and exports that screens start, leave the processor to other programs, and say so."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.folder import open_store
from evomerge_tui.processes.line_process import command_lines
from evomerge_tui.screens.dashboard.event_log import EventLog
from evomerge_tui.screens.export import export
from evomerge_tui.user.settings import Priority, Settings, save_settings
from support.command_line import command
from support.screen_tools import make_app, shown, until
from support.tiny_run import write_recipe

LONG = {"evaluations": 100000}


def is_low(process: psutil.Process) -> bool:
    """As the system sees it, of all of the process's threads where it tells."""
    if sys.platform == "win32":
        return process.nice() == psutil.BELOW_NORMAL_PRIORITY_CLASS
    threads = Path(f"/proc/{process.pid}/task").glob("*/stat")
    # proc(5): niceness is the 19th field; the second one, a name in brackets, may hold spaces
    niceness = [int(stat.read_text().rpartition(")")[2].split()[16]) for stat in threads]
    return {process.nice(), *niceness} == {10}


def job_of(run: Path) -> psutil.Process:
    """The run's job, once it computes."""
    deadline = time.monotonic() + 120
    while json.loads(command("status", run, "--json").stdout)["evaluations"] < 1 and time.monotonic() < deadline:
        time.sleep(0.2)
    store = open_store(run)
    try:
        return psutil.Process(store.fact("pid"))
    finally:
        store.close()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run's recipe that takes longer than any test; settings that are the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield write_recipe(tmp_path, budget=LONG)
    command("stop", tmp_path / "run", "--now")


def test_a_job_has_low_priority_and_says_so(recipe: Path) -> None:
    run = recipe.with_name("run")
    assert command("run", recipe, "--out", run, "--detach").returncode == 0
    job = job_of(run)
    assert is_low(job)
    session = Path(f"/proc/{job.pid}/autogroup")
    if session.exists():
        assert session.read_text().split()[1:] == ["nice", "10"]
    assert json.loads(command("status", run, "--json").stdout)["priority"] == "low"
    assert "running at low priority" in command("status", run).stdout
    assert "is running at low priority" in command("status", run, "--plain").stdout


@pytest.mark.anyio
async def test_the_dashboards_log_tells_the_priority(finished: tuple[Path, object]) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_run(finished[0])
        await until(pilot, lambda: "Job started at low priority" in "\n".join(app.screen.query_one(EventLog).lines))


def test_a_job_shares_equally_where_the_settings_say_so(recipe: Path) -> None:
    run = recipe.with_name("run")
    save_settings(Settings(job_priority="normal"))
    assert command("run", recipe, "--out", run, "--detach").returncode == 0
    assert job_of(run).nice() == psutil.Process().nice()
    assert json.loads(command("status", run, "--json").stdout)["priority"] == "normal"


def test_wrong_settings_are_reported_before_a_job_starts(recipe: Path) -> None:
    settings = recipe.with_name("config") / "evomerge-tui" / "settings.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("job_priority: lowest\n")
    done = command("run", recipe, "--out", recipe.with_name("run"))
    assert done.returncode == 2
    assert "settings.yaml:1" in done.stderr
    assert "job_priority" in done.stderr
    assert not (recipe.with_name("run") / "job.log").exists()


@pytest.mark.anyio
@pytest.mark.parametrize("priority", ["low", "normal"])
async def test_a_command_gets_the_priority_that_it_is_started_with(priority: Priority) -> None:
    lines = command_lines(("doctor",), priority=priority)
    told = asyncio.ensure_future(anext(lines))
    # the tests' own process may have others
    while not (started := [child for child in psutil.Process().children() if "doctor" in child.cmdline()]):
        await asyncio.sleep(0.01)
    deadline = time.monotonic() + 10
    while is_low(started[0]) != (priority == "low"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert "checks" in await told
    await lines.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("priority", ["low", "normal"])
async def test_an_export_from_the_screens_has_the_settings_priority(
    priority: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def lines(words: Sequence[object], *, priority: str = "normal") -> AsyncIterator[dict[str, Any]]:
        if "--plan" not in words:
            seen.append(priority)
        raise InputError("nothing is made in this test")
        yield {}

    monkeypatch.setattr(export, "command_lines", lines)
    app = make_app(tmp_path, job_priority=priority)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_export(tmp_path)
        await until(pilot, lambda: "nothing is made" in shown(app))
        await pilot.press("s")
        await until(pilot, lambda: seen == [priority])
