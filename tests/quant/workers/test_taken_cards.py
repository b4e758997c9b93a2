"""Cards on which another run computes: what is left for a run's own workers, and what is said where it is too little."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.known_runs import remember
from evomerge_core.run.run_folder.lock import hold
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.workers import WorkerSeen
from evomerge_quant.planning.machine import taken_cards
from evomerge_quant.planning.machine.taken_cards import Card, cards_for
from support.tiny_run import write_recipe

FIRST, SECOND = Card("0", "GPU-1", "Card A"), Card("1", "GPU-2", "Card B")
# of nobody here: the kernel gives no process so high a number
JOB, WORKER, OTHER = 10**9, 10**9 + 1, 10**9 + 2


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run at work, with a worker, on a machine of two cards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(taken_cards, "_cards", lambda: iter([FIRST, SECOND]))
    folder = create_run(load_recipe(write_recipe(tmp_path)), out=tmp_path / "run")
    with closing(Store(folder / "run.db")) as store:
        write_facts(store, pid=JOB, workers=[WorkerSeen("worker 1", "host", WORKER, "Card A").as_fact()])
    remember(folder)
    with hold(folder):
        yield folder


def computing(monkeypatch: pytest.MonkeyPatch, on_first: set[int], on_second: set[int]) -> None:
    monkeypatch.setattr(taken_cards, "_processes_on", {FIRST: on_first, SECOND: on_second}.__getitem__)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("process", [JOB, WORKER])
def test_a_card_of_another_run_is_left_to_it(monkeypatch: pytest.MonkeyPatch, process: int) -> None:
    computing(monkeypatch, {process, OTHER}, {OTHER, os.getpid()})
    assert cards_for("auto") == cards_for(1) == ["1"]


def test_too_few_free_cards_are_refused_with_the_run_that_has_the_others(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computing(monkeypatch, set(), {WORKER})
    with pytest.raises(InputError, match=rf"^workers: 2: the run {run} computes on Card B, and 1 of 2 cards .*at most 1$"):
        cards_for(2)
    computing(monkeypatch, {JOB}, {WORKER})
    with pytest.raises(InputError, match=r"^workers: auto: the run .* computes on Card A, and 0 of 2 cards are free; wait"):
        cards_for("auto")


@pytest.mark.usefixtures("run")
def test_more_than_there_are_is_nobody_else_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    computing(monkeypatch, set(), {WORKER})
    assert cards_for(3) == ["0"]


@pytest.mark.usefixtures("run")
def test_a_run_that_has_ended_holds_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    computing(monkeypatch, {JOB}, {WORKER})
    monkeypatch.setattr(taken_cards, "is_held", lambda _: False)
    assert cards_for(2) == ["0", "1"]
