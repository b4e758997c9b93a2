"""The content of a report, read from a run's folder: its store, and its result where there is a verdict. Loads no model."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml_text
from evomerge_core.run.agreement import read_agreement
from evomerge_core.run.candidate.fitness import rank
from evomerge_core.run.report.importance import Importance, importance, ranking
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.run_folder.state import state_of
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import FOUNDER, Outcome
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.archive import Archive, read_archive
from evomerge_core.run.view.pool import Selection, read_selection
from evomerge_core.run.view.result import read_result


@dataclass(frozen=True)
class ScoredCandidate:
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
    the verdict, None before there is one; `foretold` are the seconds in all that were estimated from the references' times;
    `races` the items of a race's rungs, by stage; `ranked` the labels of the search's candidates that have a score, the best
    first. `precision_choice` says what `precision: auto` became, `agreement` how the search's precision ranks merges; `archive`
    is what a search bred that breeds, `pool` how the sources were chosen, `mattered` which of the genome's numbers went along
    with the score."""

    run: str
    recipe: str
    state: str
    precision: str
    precision_choice: str | None
    agreement: str | None
    scored_on: str | None
    dimensions: tuple[tuple[str, float, float], ...]
    scored: tuple[ScoredCandidate, ...]
    spent: tuple[Spent, ...]
    seconds: float
    foretold: float | None
    search_ended: tuple[str, ...]
    races: tuple[tuple[int, ...] | None, ...]
    ranked: tuple[str, ...]
    result: Mapping[str, Any] | None
    archive: Archive | None = None
    pool: Selection | None = None
    mattered: Importance | None = None

    @property
    def by_votes(self) -> bool:
        """Whether the verdict rests on votes alone, a test having had no items."""
        return self.result is not None and not self.result["items"]

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


def read_report(folder: Path) -> Report:
    """Reads a run's report; InputError when the folder is no run, or can't be read."""
    store = read_store(folder)
    try:
        return _report(folder, store)
    except (OSError, sqlite3.Error, ValueError, KeyError) as error:
        problem = f"the run can't be read ({type(error).__name__}: {error})"
        raise InputError(problem, where=folder, remedy="was it made by this program?") from error
    finally:
        store.close()


def _report(folder: Path, store: Store) -> Report:
    facts = read_facts(store)
    agreement = read_agreement(facts.agreement)
    outcomes = store.outcomes(split="search", precision=facts.precision)
    genomes = {candidate.id: candidate.genome for candidate in store.candidates()}
    children = [o for o in outcomes if o.kind in ("search", "mean") and o.score is not None]
    ranked = tuple(o.label for o in sorted(children, key=lambda outcome: rank(outcome, facts), reverse=True))
    dimensions = tuple((_name(dimension), dimension["low"], dimension["high"]) for dimension in facts.dimensions)
    return Report(
        run=str(folder),
        recipe=read_yaml_text(folder / RECIPE),
        state=state_of(folder, store),
        precision=facts.precision,
        precision_choice=facts.precision_choice,
        agreement=None if agreement is None else agreement.sentence,
        scored_on=facts.scored_on,
        dimensions=dimensions,
        scored=tuple(_scored(number, outcome, genomes[outcome.candidate]) for number, outcome in enumerate(outcomes, 1)),
        spent=tuple(_spent(store)),
        seconds=facts.active_seconds,
        foretold=None if facts.estimated is None else facts.estimated["seconds"],
        search_ended=facts.search_ended,
        races=facts.races,
        ranked=ranked,
        result=read_result(folder),
        pool=read_selection(facts.pool),
        archive=read_archive(store),
        mattered=_mattered([name for name, _, _ in dimensions], children, ranked, genomes),
    )


def _mattered(
    names: Sequence[str], children: Sequence[Outcome], ranked: Sequence[str], genomes: Mapping[int, tuple[float, ...] | None]
) -> Importance | None:
    """Of the search's own candidates in the present numbers; those of an earlier stage have others."""
    worth = ranking(ranked)
    known = [(o, genome) for o in children if o.kind == "search" and len(genome := genomes[o.candidate] or ()) == len(names)]
    return importance(
        names, [genome for _, genome in known], [worth[o.label] for o, _ in known], [o.generation for o, _ in known]
    )


def _name(dimension: Mapping[str, Any]) -> str:
    return "·".join(word for word in (dimension["parameter"], dimension["source"], dimension["group"]) if word)


def _scored(number: int, outcome: Outcome, genome: tuple[float, ...] | None) -> ScoredCandidate:
    return ScoredCandidate(
        number=number,
        label=outcome.label,
        kind=outcome.kind,
        generation=outcome.generation,
        score=outcome.score,
        loss=outcome.loss,
        items=outcome.items,
        failure=outcome.failure,
        mark=outcome.mark,
        genome=genome,
    )


def _spent(store: Store) -> list[Spent]:
    """The search's own candidates apart from the references, then the other splits."""
    parts: dict[str, Spent] = {}
    for candidate, split, precision, evaluation in store.all_evaluations():
        part = "references" if split == "search" and candidate.kind in ("parent", "uniform", FOUNDER) else split
        before = parts.get(part, Spent(part, 0, 0, 0, 0.0))
        parts[part] = Spent(
            part,
            before.evaluations + 1,
            before.answers + store.count_items(candidate.id, split, precision),
            before.tokens + evaluation.tokens,
            before.seconds + evaluation.seconds,
        )
    return list(parts.values())
