"""A run in one line: what a list of runs shows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.run.candidate.fitness import best_child
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.run_folder.interruption import message_of
from evomerge_core.run.run_folder.names import RECIPE, RESULT, STORE, WINNER
from evomerge_core.run.run_folder.state import state_of
from evomerge_core.run.store.facts import RunFacts, read_facts
from evomerge_core.run.store.records import Outcome
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.child_estimate import child_estimate
from evomerge_core.run.view.result import read_result

# What reading finds where somebody else has written into a store: values of another kind, other keys.
_NOT_A_RUNS = (ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class RunOverview:
    """A run's state and its best scores.

    Scores in 0..1 are those of `split`: the held-out test when there is a verdict, else the search's items, and then what is
    likely of the best child so far, and the best parent's. `changed` is unix time in seconds, `size` the folder's bytes;
    `message` says why a run failed.
    """

    folder: Path
    name: str
    state: str
    split: str
    best: float | None
    parent: float | None
    evaluations: int
    evaluations_total: int | None
    changed: float
    size: int
    message: str | None

    @property
    def gain(self) -> float | None:
        """Best less best parent."""
        return None if self.best is None or self.parent is None else self.best - self.parent


def read_overview(folder: Path) -> RunOverview:
    """Reads a run's line; a run that can't be read has the state `unreadable`, and `message` says why in one line."""
    try:
        store = read_store(folder)
        try:
            return _overview(folder, store)
        finally:
            store.close()
    except InputError as error:
        return _unreadable(folder, str(error))
    except (OSError, sqlite3.Error) as error:
        return _unreadable(folder, f"{folder}: can't be read ({error})")
    except _NOT_A_RUNS as error:
        return _unreadable(folder, f"{folder / STORE}: holds what no run has written ({type(error).__name__}: {error})")


def _overview(folder: Path, store: Store) -> RunOverview:
    state, facts = state_of(folder, store), read_facts(store)
    outcomes = store.outcomes(split="search", precision=facts.precision)
    best = best_child(outcomes, facts)
    parents = [outcome.score for outcome in outcomes if outcome.kind == "parent" and outcome.score is not None]
    split, child, parent = "search", _likely(best, outcomes, facts), max(parents, default=None)
    tested = _tested(folder)
    if tested is not None:
        split, (child, parent) = "test", tested
    return RunOverview(
        folder=folder,
        name=_name(folder),
        state=state,
        split=split,
        best=child,
        parent=parent,
        evaluations=max(store.count_tried(), store.count_searched()),
        evaluations_total=facts.evaluations_total,
        changed=store.last_event_time() or (folder / RECIPE).stat().st_mtime,
        size=_size(folder),
        message=message_of(folder, state, facts),
    )


def _likely(best: Outcome | None, outcomes: Sequence[Outcome], facts: RunFacts) -> float | None:
    """What the best child is likely to score."""
    known = None if best is None else child_estimate(best, outcomes, facts)
    return None if known is None else known.value


def _tested(folder: Path) -> tuple[float | None, float | None] | None:
    result = read_result(folder)
    if result is None:
        return None
    try:
        parents = [parent["test"] for parent in result["parents"] if parent["test"] is not None]
        return result["winner"]["test"], max(parents, default=None)
    except _NOT_A_RUNS:
        raise InputError("isn't a run's result", where=folder / WINNER / RESULT, remedy="remove it, then resume") from None


def _name(folder: Path) -> str:
    recipe = read_yaml(folder / RECIPE)
    if "name" not in recipe.data:
        raise recipe.error((), "key 'name' is missing", "add it")
    return str(recipe.data["name"])


def _size(folder: Path) -> int:
    # what SQLite keeps beside the store comes and goes with its readers
    names = [
        f"{place}{os.sep}{name}" for place, _, names in os.walk(folder) for name in names if not name.endswith(("-wal", "-shm"))
    ]
    return sum(_bytes(name) for name in names)


def _bytes(file: str) -> int:
    try:
        return os.lstat(file).st_size
    except FileNotFoundError:
        return 0  # a job has just renamed it


def _unreadable(folder: Path, reason: str) -> RunOverview:
    return RunOverview(folder, folder.name, "unreadable", "search", None, None, 0, None, 0.0, 0, reason)
