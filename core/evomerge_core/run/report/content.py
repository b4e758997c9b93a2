"""What a report says, read from a run's folder: its store, and its result where there is a verdict. Loads no model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.run.race_facts import races_of
from evomerge_core.run.store.folder import RECIPE, RESULT, WINNER, open_store
from evomerge_core.run.store.store import Candidate, Evaluation, Store
from evomerge_core.run.view.progress import state_of


@dataclass(frozen=True)
class Scored:
    """A candidate on the search's items, or on as many of them as a race asked: `number` counts all that were scored, from 1;
    `mark` is what the coherence guard objects to."""

    number: int
    label: str
    kind: str
    generation: int | None
    score: float | None
    loss: float | None
    items: int
    failure: str | None
    mark: str | None
    genome: tuple[float, ...] | None


@dataclass(frozen=True)
class Spent:
    """What one part of a run took: evaluations, answers, generated tokens, seconds."""

    part: str
    evaluations: int
    answers: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Report:
    """A run at the moment of reading. `dimensions` are the genome's numbers (name, low, high), none for paths; `result` is
    the verdict, None before there is one; `foretold` are the seconds in all that the references' times let expect; `races`
    the items of a race's rungs, by stage."""

    run: str
    recipe: str
    state: str
    precision: str
    scored_on: str | None
    dimensions: tuple[tuple[str, float, float], ...]
    scored: tuple[Scored, ...]
    spent: tuple[Spent, ...]
    seconds: float
    foretold: float | None
    search_ended: tuple[str, ...]
    races: tuple[tuple[int, ...] | None, ...]
    result: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


def read_report(folder: Path) -> Report:
    """Reads a run's report; InputError when the folder is no run, or can't be read."""
    store = open_store(folder)
    try:
        return _report(folder, store)
    except (OSError, sqlite3.Error, ValueError, KeyError) as error:
        raise InputError(
            f"{folder}: the run can't be read ({type(error).__name__}: {error}); was it made by this program?"
        ) from error
    finally:
        store.close()


def _report(folder: Path, store: Store) -> Report:
    facts = store.facts()
    precision = facts.get("precision", "nf4")
    found = facts.get("dimensions", [])
    return Report(
        run=str(folder),
        recipe=(folder / RECIPE).read_text(encoding="utf-8"),
        state=state_of(folder, store),
        precision=precision,
        scored_on=facts.get("scored_on"),
        dimensions=tuple((_name(one), one["low"], one["high"]) for one in found),
        scored=tuple(
            _scored(store, precision, number, *pair) for number, pair in enumerate(store.scored("search", precision), 1)
        ),
        spent=tuple(_spent(store)),
        seconds=facts.get("active_seconds", 0.0),
        foretold=(facts.get("foretold") or {}).get("seconds"),
        search_ended=tuple(facts.get("search_ended", ())),
        races=tuple(races_of(facts)),
        result=_result(folder),
    )


def _name(dimension: Mapping[str, Any]) -> str:
    return "·".join(word for word in (dimension["parameter"], dimension["source"], dimension["group"]) if word)


def _scored(store: Store, precision: str, number: int, candidate: Candidate, evaluation: Evaluation) -> Scored:
    return Scored(
        number=number,
        label=candidate.label,
        kind=candidate.kind,
        generation=candidate.generation,
        score=evaluation.score,
        loss=evaluation.loss,
        items=store.count_items(candidate.id, "search", precision),
        failure=evaluation.failure,
        mark=store.mark(candidate.id, "search", precision),
        genome=candidate.genome,
    )


def _spent(store: Store) -> list[Spent]:
    """The search's own candidates apart from the references, then the other splits."""
    parts: dict[str, Spent] = {}
    for candidate, split, precision, evaluation in store.all_evaluations():
        part = "references" if split == "search" and candidate.kind in ("parent", "uniform") else split
        before = parts.get(part, Spent(part, 0, 0, 0, 0.0))
        parts[part] = Spent(
            part,
            before.evaluations + 1,
            before.answers + store.count_items(candidate.id, split, precision),
            before.tokens + evaluation.tokens,
            before.seconds + evaluation.seconds,
        )
    return list(parts.values())


def _result(folder: Path) -> Mapping[str, Any] | None:
    try:
        result: dict[str, Any] = json.loads((folder / WINNER / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return result
