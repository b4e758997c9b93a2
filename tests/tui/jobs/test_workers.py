"""Workers of a real cluster of two nodes on this machine: what a run finds depends neither on them nor on one being killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.commands import append_command
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import RunFacts, read_facts, write_facts
from evomerge_core.run.store.store import Store
from evomerge_tui.processes import job
from support.ray_cluster import SETTINGS, two_nodes
from support.tiny_run import scores, timeless, write_recipe

# not imported yet: the cluster's settings are read then
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray")

RACE = {
    "splits": {"search": 24, "validation": 8, "test": 10},
    "budget": {"evaluations": 16},
    "search": {"population": 8, "racing": {"first": 4, "items": 12, "error": 0.5}},
    "evaluation": {"precision": "bf16", "device": "cpu"},
}
_SECONDS = 120.0


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    with two_nodes() as address:
        yield address


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose job scores every candidate itself."""
    folder = create_run(load_recipe(write_recipe(tmp_path_factory.mktemp("models"), **RACE)))
    assert job.work(folder) == 0
    return folder


def carry_out(alone: Path, place: Path, workers: int, cluster: str) -> Path:
    """The same run with so many workers."""
    run = make_run(alone, place, workers)
    work(run, cluster)
    return run


def make_run(alone: Path, place: Path, workers: int) -> Path:
    run = create_run(load_recipe(alone.parents[1] / "recipe.yaml"), out=place / "run")
    with closing(Store(run / "run.db")) as store:
        write_facts(store, workers_wanted=workers)
    return run


def work(run: Path, cluster: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**SETTINGS, "RAY_ADDRESS": cluster}.items():
            patch.setenv(name, value)
        assert job.work(run) == 0, told(run).message


def told(run: Path) -> RunFacts:
    with closing(read_store(run)) as store:
        return read_facts(store)


def events(run: Path, kind: str) -> list[Any]:
    with closing(read_store(run)) as store:
        return [data for _, _, found, data in store.events() if found == kind]


def order_of_evaluations(run: Path) -> list[tuple[str, str, str]]:
    with closing(read_store(run)) as store:
        return [(one.label, one.split, one.precision) for one in store.outcomes()]


def same(run: Path, alone: Path) -> None:
    """Every score and answer, the order in which they were kept, the ranking, the verdict and the winner's bytes."""
    assert scores(run) == scores(alone)
    assert order_of_evaluations(run) == order_of_evaluations(alone)
    results = [json.loads((place / "winner" / "result.json").read_text()) for place in (run, alone)]
    assert timeless(results[0]) == timeless(results[1])
    weights = [(place / "winner" / "model" / "model.safetensors").read_bytes() for place in (run, alone)]
    assert weights[0] == weights[1]


@pytest.mark.timeout(400)
def test_one_worker_finds_what_the_job_finds_alone(alone: Path, cluster: str, tmp_path: Path) -> None:
    run = carry_out(alone, tmp_path, 1, cluster)
    same(run, alone)
    (worker,) = told(run).workers
    assert worker["process"] != os.getpid()
    assert worker["answered"] == len(passes(run))


@pytest.mark.timeout(400)
def test_two_workers_on_two_nodes_find_the_same(alone: Path, cluster: str, tmp_path: Path) -> None:
    run = carry_out(alone, tmp_path, 2, cluster)
    same(run, alone)
    workers = told(run).workers
    assert len({worker["process"] for worker in workers}) == 2
    assert all(worker["answered"] for worker in workers)
    assert sum(worker["answered"] for worker in workers) == len(passes(run))
    assert not events(run, "worker_lost")


@pytest.mark.timeout(400)
def test_a_worker_that_is_killed_in_the_middle_of_a_candidate_changes_nothing(
    alone: Path, cluster: str, tmp_path: Path
) -> None:
    killed: list[str] = []
    run = make_run(alone, tmp_path, 2)
    killer = threading.Thread(target=kill_one, args=(run, killed))
    killer.start()
    work(run, cluster)
    killer.join()
    (label,) = killed
    same(run, alone)
    (lost,) = events(run, "worker_lost")
    assert lost["left"] == 1
    assert "ended" in lost["reason"]
    # asked again, and kept once
    assert passes(run) == passes(alone)
    assert label in passes(run)


@pytest.mark.timeout(400)
def test_a_run_that_is_stopped_goes_on_with_other_workers_to_the_same_end(alone: Path, cluster: str, tmp_path: Path) -> None:
    """Those at work end first, and what they found is kept: the stopped run has the first passes of the whole one."""
    run = make_run(alone, tmp_path, 2)
    stopper = threading.Thread(target=stop_at_child, args=(run,))
    stopper.start()
    work(run, cluster)
    stopper.join()
    assert told(run).state == "stopped"
    kept = passes(run)
    assert kept == passes(alone)[: len(kept)]
    assert len(kept) < len(passes(alone))
    with closing(Store(run / "run.db")) as store:
        write_facts(store, workers_wanted="none")
    work(run, cluster)
    same(run, alone)
    assert told(run).workers == ()


def stop_at_child(run: Path) -> None:
    """Asks the run to stop when a child is asked."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and not any(at_child(one) for one in told(run).workers):
        time.sleep(0.01)
    append_command(run, "stop")


def kill_one(run: Path, killed: list[str]) -> None:
    """Kills a worker that is at a child: it is stopped first, and killed if the job still waits for it a second later."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.01)
        if not (found := [one for one in told(run).workers if at_child(one)]):
            continue
        process = psutil.Process(found[0]["process"])
        process.suspend()
        time.sleep(1.0)
        again = next(one for one in told(run).workers if one["process"] == process.pid)
        if (again["candidate"], again["since"]) == (found[0]["candidate"], found[0]["since"]):
            killed.append(found[0]["candidate"])
            os.kill(process.pid, signal.SIGKILL)
            return
        process.resume()


def at_child(worker: Any) -> bool:
    return worker["candidate"] is not None and worker["candidate"].startswith("g")


def passes(run: Path) -> list[str]:
    """Whom every pass was of, by label, in the order in which they were kept."""
    with closing(sqlite3.connect(run / "run.db")) as connection:
        rows = connection.execute("SELECT c.label FROM passes p JOIN candidates c ON c.id = p.candidate ORDER BY p.id")
        return [label for (label,) in rows]
