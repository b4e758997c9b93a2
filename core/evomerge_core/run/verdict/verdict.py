"""Whether the winner is better than its references: test scores with intervals, and paired tests on the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """The winner against one reference: items it wins and loses, two-sided exact p of no difference."""

    against: str
    wins: int
    losses: int
    p: float


def judge(plan: RunPlan, store: Store, winner: Candidate, precision: str) -> dict[str, Any]:
    """The verdict in one precision, ready for JSON: every test result (`stages`: the winners of earlier stages), every
    comparison, and a sentence.

    The winner counts as better only when it beats the reference that did best on the very test items. It could as well be
    compared with the one that the validation named before the test was looked at. But then another reference may stand above
    both in the same table, and a child "better than its references" below one of them. Chosen by the test, the reference has
    the test's luck on its side, the more of it the more references there are: where nobody is better than the others, a winner
    is called so less often than the p of one comparison says, and no correction for their number is needed.
    """
    parents, uniform = store.candidates("parent"), store.candidates("uniform")
    known = [*parents, *uniform]
    stages = _earlier_winners(plan, store, [*known, winner])
    others = [one for one in (*known, *(one for _, one in stages)) if one.id != winner.id]
    results = {c.id: _test_result(plan, store, c, precision) for c in (*others, winner)}
    against = {c.id: _compare(plan, store, winner, c, precision) for c in others}
    # of references with the same score the one that is harder to beat
    best = max(others, key=lambda c: (results[c.id].test or 0.0, against[c.id].p))
    paired = against[best.id]
    return {
        "items": plan.items("test"),
        "parents": [asdict(results[c.id]) for c in parents],
        "uniform": [asdict(results[c.id]) for c in uniform],
        "stages": [{"stage": name, **asdict(results[c.id])} for name, c in stages],
        "winner": asdict(results[winner.id]),
        "paired": asdict(paired),
        "better": beats(paired),
        "against": [asdict(comparison) for comparison in against.values()],
        "verdict": _sentence(spoken_name(winner), results[winner.id], rival_name(best, dict(stages)), paired),
    }


def spoken_name(winner: Candidate) -> str:
    """What the winner is in a sentence: `the child`, or `the equal-weight merge 0.75`."""
    return f"the equal-weight merge {equal_weight(winner)}" if winner.kind == "uniform" else "the child"


def equal_weight(merge: Candidate) -> str:
    """The weight of an equal-weight merge, as its label has it."""
    return merge.label.removeprefix("uniform ")


def beats(paired: Comparison | Paired) -> bool:
    """Whether a child is called better: it wins more items than it loses, and chance gives such a difference less than once
    in 20 times. The items must be new to the search and to the choice, and the winner the one and only that is tested on
    them."""
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


def _earlier_winners(plan: RunPlan, store: Store, known: Sequence[Candidate]) -> list[tuple[str, Candidate]]:
    """The winners of earlier stages that aren't among those already known, each with the first stage that it won."""
    seen, found = {one.id for one in known}, []
    for stage, number in zip(plan.stages, read_facts(store).stage_winners, strict=False):
        if number not in seen:
            seen.add(number)
            found.append((stage.name, store.candidate(number)))
    return found


def rival_name(best: Candidate, stages: Mapping[str, Candidate]) -> str:
    """What a reference is in a sentence; `stages` are the winners of earlier stages by the stage's name."""
    if best.kind == "parent":
        return f"the best parent, {best.label}"
    if best.kind == "uniform":
        return f"the best equal-weight merge, {equal_weight(best)}"
    stage = next(name for name, one in stages.items() if one.id == best.id)
    return f"{best.label}, the winner of stage {stage}"


def _sentence(winner: str, result: TestResult, rival: str, paired: Comparison) -> str:
    if result.test is None:
        return f"{winner} could not be scored on the test items"
    figures = f"({paired.wins} items won, {paired.losses} lost, p = {paired.p:.2g})"
    doubt = "" if result.incoherent is None else f"; it is incoherent: {result.incoherent}"
    if beats(paired):
        return f"{winner} beats {rival} {figures}{doubt}"
    if paired.p < SIGNIFICANT:
        return f"{winner} is worse than {rival} {figures}{doubt}"
    return f"{winner} is no better than {rival} {figures}{doubt}"
