"""What a job was told and never did is not for the next job; what the next one is told, it does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evomerge_core.run.run_folder.commands import append_command
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.view.progress import read_progress
from evomerge_tui.processes import job
from support.command_line import command
from support.tiny_run import write_recipe


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long run that has begun to search and was ended at once, with no command left."""
    place = tmp_path_factory.mktemp("stopped")
    run = place / "run"
    assert command("run", write_recipe(place, budget={"evaluations": 100000}), "--out", run, "--detach").returncode == 0
    assert command("stop", run, "--now").returncode == 0
    return run


@pytest.fixture
def run(stopped: Path) -> Iterator[Path]:
    yield stopped
    if is_held(stopped):
        job.end_now(stopped)


def waiting(run: Path) -> list[str]:
    store = open_store(run)
    try:
        return store.waiting_commands()
    finally:
        store.close()


def wait_for_evaluations(run: Path, more: int) -> None:
    wanted = len(events(run, "evaluation")) + more
    while len(events(run, "evaluation")) < wanted and is_held(run):
        time.sleep(0.05)


def events(run: Path, kind: str) -> list[dict[str, object]]:
    store = open_store(run)
    try:
        return [data for _, _, name, data in store.events() if name == kind]
    finally:
        store.close()


@pytest.mark.parametrize("name", ["stop", "pause"])
def test_a_command_from_before_does_not_reach_the_next_job(run: Path, name: str) -> None:
    append_command(run, name)
    dropped = len(events(run, "dropped"))
    assert command("resume", run, "--detach").returncode == 0
    assert events(run, "dropped")[dropped:] == [{"name": name}]
    wait_for_evaluations(run, 2)
    assert (read_progress(run).state, waiting(run)) == ("running", [])
    assert {"name": name} not in events(run, "command")[-1:]


def test_a_command_given_while_the_job_starts_is_done(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is given when the job's process has been made and doesn't hold the lock yet."""
    begin = subprocess.Popen

    def begin_and_tell(*words: object, **options: object) -> object:
        append_command(run, "stop")
        return begin(*words, **options)  # type: ignore[call-overload]

    append_command(run, "pause")
    monkeypatch.setattr(subprocess, "Popen", begin_and_tell)
    job.start(run)
    while is_held(run):
        time.sleep(0.05)
    assert read_progress(run).state == "stopped"
    assert events(run, "command")[-1:] == [{"name": "stop"}]
