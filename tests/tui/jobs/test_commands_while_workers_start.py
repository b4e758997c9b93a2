"""Commands to a run whose workers are being started, which takes as long as it takes: here, until the test's end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.commands import append_command
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import RunFacts, read_facts, write_facts
from evomerge_core.run.store.store import Store
from evomerge_tui.processes.descendants import kill_all, suspended_descendants
from support.tiny_run import write_recipe

# A job whose cluster starts a process, which starts another, and is then waited for without an end.
_JOB = """
import sys, time, subprocess
from contextlib import contextmanager
from pathlib import Path
from evomerge_quant.workers import crew
from evomerge_tui.processes import job

@contextmanager
def never_there(*_):
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(999)'])"
    subprocess.Popen([sys.executable, "-c", child])
    time.sleep(999)
    yield

crew.crew_of = never_there
sys.exit(job.work(Path(sys.argv[1])))
"""
_SECONDS = 120.0


@contextmanager
def starting(place: Path) -> Iterator[tuple[Path, psutil.Popen]]:
    """A run, and its job that waits for the workers and has their two processes below it, besides what it works with itself."""
    run = create_run(load_recipe(write_recipe(place)), out=place / "run")
    with closing(Store(run / "run.db")) as store:
        write_facts(store, workers_wanted=1)
    job = psutil.Popen([sys.executable, "-P", "-c", _JOB, str(run)])
    try:
        until(lambda: len(sleepers(job)) == 2)
        yield run, job
    finally:
        kill_all([*suspended_descendants(job), job])
        job.wait()


def sleepers(process: psutil.Process) -> list[psutil.Process]:
    """Those below a process that wait without an end."""
    found = []
    for one in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if any("sleep(999)" in word for word in one.cmdline()):
                found.append(one)
    return found


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def told(run: Path) -> RunFacts:
    with closing(read_store(run)) as store:
        return read_facts(store)


@pytest.mark.timeout(300)
def test_it_is_paused_goes_on_and_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    with starting(tmp_path) as (run, job):
        append_command(run, "pause")
        until(lambda: told(run).state == "paused")
        append_command(run, "resume")
        until(lambda: told(run).state == "running")
        began = job.children(recursive=True)
        append_command(run, "stop")
        assert job.wait(_SECONDS) == 0
        assert not psutil.wait_procs(began, timeout=_SECONDS)[1]
        assert told(run).state == "stopped"
        with closing(read_store(run)) as store:
            assert [kind for _, _, kind, _ in store.events()][-1] == "stopped"


def test_nobody_who_is_found_can_start_another() -> None:
    sleeping = "import time; time.sleep(999)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleeping!r}])"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with psutil.Popen([sys.executable, "-c", parent]) as top:
        until(lambda: len(top.children(recursive=True)) == 2)
        found = suspended_descendants(top)
        until(lambda: all(one.status() == psutil.STATUS_STOPPED for one in found))
        assert found == top.children(recursive=True)
        kill_all([*found, top])
