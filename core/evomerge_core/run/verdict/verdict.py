"""Whether the child is better than its parents: test scores with intervals, and paired tests on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evomerge_core.run.plan import RunPlan
from evomerge_core.run.statistics import Paired, compare, interval
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import Candidate, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.run.verdict.candidate_scores import weighted_values
from evomerge_core.tasks.language.coherence import REPEATING, repetition

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class TestResult:
    """A candidate on the test items: score in 0..1 (None: it failed) with its 95 % interval, and shares of the answers
    that met the token limit, were in the wrong language, or repeat themselves. `incoherent` is the coherence guard's
    objection to a child."""

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


def judge(plan: RunPlan, store: Store, winner: Candidate, precision: str) -> dict[str, Any]:
    """The verdict in one precision, ready for JSON: every test result (`stages`: the winners of earlier stages), every
    comparison, and a sentence.

    The child counts as better only when it beats the parent that did best on the very test items.
    """
    parents, uniform = store.candidates("parent"), store.candidates("uniform")
    earlier = [store.candidate(known) for known in read_facts(store).stage_winners if known != winner.id]
    results = {c.id: _test_result(plan, store, c, precision) for c in (*parents, *uniform, *earlier, winner)}
    against = {c.id: _compare(plan, store, winner, c, precision) for c in (*parents, *uniform, *earlier)}
    best = max(parents, key=lambda c: results[c.id].test or 0.0)
    paired = against[best.id]
    return {
        "items": plan.items("test"),
        "parents": [asdict(results[c.id]) for c in parents],
        "uniform": [asdict(results[c.id]) for c in uniform],
        "stages": [{"stage": stage.name, **asdict(results[c.id])} for stage, c in zip(plan.stages, earlier, strict=False)],
        "winner": asdict(results[winner.id]),
        "paired": asdict(paired),
        "better": beats(paired),
        "against": [asdict(comparison) for comparison in against.values()],
        "verdict": _sentence(results[winner.id], results[best.id], paired),
    }


def beats(paired: Comparison | Paired) -> bool:
    """Whether a child is called better: it wins more items than it loses, and chance gives such a difference less than once
    in 20 times. The items must be new to the search, and the child the one and only that is tested on them."""
    return paired.p < SIGNIFICANT and paired.wins > paired.losses


def _test_result(plan: RunPlan, store: Store, candidate: Candidate, precision: str) -> TestResult:
    evaluation = store.evaluation(candidate.id, "test", precision)
    items = store.item_scores(candidate.id, "test", precision)
    if evaluation is None or evaluation.score is None:
        return TestResult(candidate.label, None, None, 0.0, 0.0)
    low, high = interval(_values(plan, items))
    truncated = sum(i.truncated for i in items) / len(items)
    wrong = sum(not i.language_ok for i in items) / len(items)
    repeating = sum(repetition(i.answer) > REPEATING for i in items) / len(items)
    mark = store.mark(candidate.id, "test", precision)
    return TestResult(candidate.label, evaluation.score, (low, high), truncated, wrong, repeating, mark)


def _compare(plan: RunPlan, store: Store, winner: Candidate, other: Candidate, precision: str) -> Comparison:
    """A reference that failed lost every item: it answered none."""
    theirs = {(i.task, i.item): i.value for i in store.item_scores(other.id, "test", precision)}
    ours = store.item_scores(winner.id, "test", precision)
    matched = [replace(i, value=theirs.get((i.task, i.item), 0.0)) for i in ours]
    result = compare(_values(plan, ours), _values(plan, matched))
    return Comparison(other.label, result.wins, result.losses, result.p)


def _values(plan: RunPlan, items: Sequence[ItemScore]) -> list[float]:
    return weighted_values(items, plan.weights)


def _sentence(winner: TestResult, best: TestResult, paired: Comparison) -> str:
    if winner.test is None:
        return "the child could not be scored on the test items"
    figures = f"({paired.wins} items won, {paired.losses} lost, p = {paired.p:.2g})"
    doubt = "" if winner.incoherent is None else f"; it is incoherent: {winner.incoherent}"
    if beats(paired):
        return f"the child beats the best parent, {best.name} {figures}{doubt}"
    if paired.p < SIGNIFICANT:
        return f"the child is worse than the best parent, {best.name} {figures}{doubt}"
    return f"the child is no better than the best parent, {best.name} {figures}{doubt}"
