"""Whether the child is better than its parents: test scores with intervals, and paired tests on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evomerge_core.run.setup import Setup
from evomerge_core.run.statistics import Paired, compare, interval
from evomerge_core.run.store.store import Candidate, ItemScore, Store
from evomerge_core.run.weighted_values import weighted_values
from evomerge_core.tasks.language.coherence import REPEATING, repetition

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Standing:
    """A candidate on the test items: score in 0..1 (None: it failed) with its 95 % interval, and shares of the answers
    that met the token limit, were in the wrong language, or repeat themselves. `incoherent` is what the coherence guard
    objects to in a child."""

    name: str
    test: float | None
    interval: tuple[float, float] | None
    truncated: float
    wrong_language: float
    repeating: float = 0.0
    incoherent: str | None = None


@dataclass(frozen=True)
class Comparison:
    """The child against one reference: items it wins and loses, two-sided exact p of no difference."""

    against: str
    wins: int
    losses: int
    p: float


def judge(setup: Setup, store: Store, winner: Candidate, precision: str) -> dict[str, Any]:
    """The verdict in one precision, ready for JSON: every standing (`stages`: the winners of earlier stages), every
    comparison, and a sentence.

    The child counts as better only when it beats the parent that did best on the very test items.
    """
    parents, uniform = store.candidates("parent"), store.candidates("uniform")
    earlier = [store.candidate(one) for one in store.fact("stage_winners", []) if one != winner.id]
    standings = {c.id: _standing(setup, store, c, precision) for c in (*parents, *uniform, *earlier, winner)}
    against = {c.id: _compare(setup, store, winner, c, precision) for c in (*parents, *uniform, *earlier)}
    best = max(parents, key=lambda c: standings[c.id].test or 0.0)
    paired = against[best.id]
    return {
        "items": setup.items("test"),
        "parents": [asdict(standings[c.id]) for c in parents],
        "uniform": [asdict(standings[c.id]) for c in uniform],
        "stages": [{"stage": stage.name, **asdict(standings[c.id])} for stage, c in zip(setup.stages, earlier, strict=False)],
        "winner": asdict(standings[winner.id]),
        "paired": asdict(paired),
        "better": beats(paired),
        "against": [asdict(one) for one in against.values()],
        "verdict": _sentence(standings[winner.id], standings[best.id], paired),
    }


def beats(paired: Comparison | Paired) -> bool:
    """Whether a child is called better: it wins more items than it loses, and chance gives such a difference less than once
    in 20 times. The items must be new to the search, and the child the one and only that is tested on them."""
    return paired.p < SIGNIFICANT and paired.wins > paired.losses


def _standing(setup: Setup, store: Store, candidate: Candidate, precision: str) -> Standing:
    evaluation = store.evaluation(candidate.id, "test", precision)
    items = store.item_scores(candidate.id, "test", precision)
    if evaluation is None or evaluation.score is None:
        return Standing(candidate.label, None, None, 0.0, 0.0)
    low, high = interval(_values(setup, items))
    truncated = sum(i.truncated for i in items) / len(items)
    wrong = sum(not i.language_ok for i in items) / len(items)
    repeating = sum(repetition(i.answer) > REPEATING for i in items) / len(items)
    mark = store.mark(candidate.id, "test", precision)
    return Standing(candidate.label, evaluation.score, (low, high), truncated, wrong, repeating, mark)


def _compare(setup: Setup, store: Store, winner: Candidate, other: Candidate, precision: str) -> Comparison:
    """A reference that failed lost every item: it answered none."""
    theirs = {(i.task, i.item): i.value for i in store.item_scores(other.id, "test", precision)}
    ours = store.item_scores(winner.id, "test", precision)
    matched = [replace(i, value=theirs.get((i.task, i.item), 0.0)) for i in ours]
    result = compare(_values(setup, ours), _values(setup, matched))
    return Comparison(other.label, result.wins, result.losses, result.p)


def _values(setup: Setup, items: Sequence[ItemScore]) -> list[float]:
    return weighted_values(items, {task.name: task.weight for task in setup.tasks})


def _sentence(winner: Standing, best: Standing, paired: Comparison) -> str:
    if winner.test is None:
        return "the child could not be scored on the test items"
    figures = f"({paired.wins} items won, {paired.losses} lost, p = {paired.p:.2g})"
    doubt = "" if winner.incoherent is None else f"; it is incoherent: {winner.incoherent}"
    if beats(paired):
        return f"the child beats the best parent, {best.name} {figures}{doubt}"
    if paired.p < SIGNIFICANT:
        return f"the child is worse than the best parent, {best.name} {figures}{doubt}"
    return f"the child is no better than the best parent, {best.name} {figures}{doubt}"
