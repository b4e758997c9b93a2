"""A stage's final: a race on the validation items between the search's finalists and what anybody has without a search.

All contenders are asked the same items in the same order, more in each rung. After a rung those are dropped whose answers speak
so strongly against their being as good as the leader that one as good as the leader would be dropped with a probability of at
most `ERROR` (`search/racing/evidence.py`, with the leader in place of the better half; should that one be dropped, the leader
is as good). The others go on until the items run out. Each precision has a race of its own: what is hopeless in one may be good
in another.

The store is the only state: what a contender has answered isn't asked again, and the answers alone decide who is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.coherence_guard import Guard, objection
from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.candidate.scoring import evaluation_on
from evomerge_core.run.generation.race import AnsweredPlace, Place, evidence, place_value
from evomerge_core.run.plan import Asked, RunPlan, StagePlan
from evomerge_core.run.store.records import Candidate, Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.search.racing.rungs import draw
from evomerge_core.tasks.taste import TASTE, UNKNOWN

# Up to here nothing is lost, whatever the landscape: `tests/benchmarks/final_simulation.py`.
ERROR = 0.5
# What a contender is worth in a precision in which it has no score: less than any that has one.
_FAILED = -1.0

# Asks candidates validation items, each its own, in a precision, in a rung of a final. They are taken one after the other, as
# they can be asked; the answers are in the store on return.
RunFinalRungs = Callable[[Iterable[tuple[Candidate, Sequence[Asked]]], Precision, int], None]


@dataclass(frozen=True)
class Final:
    """How a stage's final is held. `sizes` are items of each task after each rung."""

    plan: RunPlan
    stage: StagePlan
    store: Store
    sizes: tuple[int, ...]
    guard: Guard | None
    run_rungs: RunFinalRungs


def hold_final(final: Final, contenders: Sequence[Candidate]) -> None:
    """Races the contenders in every precision; afterwards each has an evaluation on what it was asked.

    Those that the search has found incoherent aren't asked, unless there is nobody else.
    """
    sound = [c for c in contenders if final.store.mark(c.id, "search", final.plan.precision) is None]
    for precision in final.plan.precisions:
        _race(final, precision, sound if any(c.kind != "parent" for c in sound) else contenders)


def complete(final: Final, candidate: Candidate) -> bool:
    """Asks a contender what it was not asked yet, in every precision; whether there was anything."""
    asked = False
    for precision in final.plan.precisions:
        rungs = [_unanswered(final, precision, candidate, rung) for rung in range(len(final.sizes))]
        missing = list(chain.from_iterable(rungs))
        if missing and not has_failed(final.store, candidate, "validation", precision):
            final.run_rungs([(candidate, missing)], precision, next(r for r, some in enumerate(rungs) if some))
            _save(final, precision, candidate)
            asked = True
    return asked


def known_worth(plan: RunPlan, stage: StagePlan, store: Store, contenders: Sequence[Candidate], split: str) -> dict[int, float]:
    """What each contender is worth by its answers to a split, by id: its fitness, added up over the split's precisions.

    By validation items votes count too, as they do in the search. One that was not asked everything is compared with the best
    of those that were: it is worth as much more or less than that one as it was on the items that both answered.
    """
    totals = dict.fromkeys((c.id for c in contenders), 0.0)
    for precision in plan.precisions if split == "validation" else (plan.precision,):
        scored = [c.id for c in contenders if not has_failed(store, c, split, precision)]
        answers = {one: {(i.task, i.item): i for i in store.item_scores(one, split, precision)} for one in scored}

        def worth(items: Sequence[ItemScore]) -> float:
            return fitness(evaluation_on(plan, items, 0.0), plan.items(split), break_ties=stage.breaks_ties) or 0.0

        own = {one: worth(list(items.values())) for one, items in answers.items() if items}
        whole = [one for one in own if len(answers[one]) == plan.items(split)]
        leader = max(whole, key=lambda one: (own[one], -one), default=None)
        for one in totals:
            total = own.get(one, _FAILED)
            if leader is not None and one in own and one not in whole:
                total += own[leader] - worth([answers[leader][key] for key in answers[one]])
            totals[one] += _with_votes(plan, store, one, total) if one in own and split == "validation" else total
    return totals


def _with_votes(plan: RunPlan, store: Store, candidate: int, worth: float) -> float:
    """What a contender is worth by the tasks and by the votes on its answers to the search's prompts: votes have no validation
    items of their own."""
    if not plan.votes:
        return worth
    values = (one.value for one in store.item_scores(candidate, "search", plan.precision) if one.task == TASTE)
    share = plan.weights[TASTE] / sum(plan.weights.values())
    return (1.0 - share) * worth + share * next(values, UNKNOWN)


def values_by_place(plan: RunPlan, store: Store, contenders: Sequence[Candidate], precision: str) -> NDArray[np.float64]:
    """The scores (0..1) of contenders that answered all validation items: [contenders, places]."""
    rows = []
    for candidate in contenders:
        known = _known(store, candidate, precision)
        rows.append([place_value(plan, tuple(known[_key(a)] for a in place)) for place in final_places(plan)])
    return np.array(rows, dtype=np.float64)


def has_failed(store: Store, candidate: Candidate, split: str, precision: str) -> bool:
    """Whether a candidate could not be scored on a split."""
    evaluation = store.evaluation(candidate.id, split, precision)
    if evaluation is not None and evaluation.score is None:
        return True
    return any(done.failure is not None for done in store.passes_of(candidate.id, split, precision))


def final_places(plan: RunPlan) -> list[Place]:
    """The validation items in the order in which finals ask them, the same in every stage: one of each task at each place."""
    of_task = []
    for task in plan.tasks:
        known = {asked.item.id: asked for asked in plan.asked["validation"] if asked.task is task}
        if not known:
            continue  # taste has no validation items
        of_task.append([known[name] for name in draw(list(known), len(known), key=f"{plan.seed}|final", generation=0)])
    return list(zip(*of_task, strict=True))


def _race(final: Final, precision: Precision, contenders: Sequence[Candidate]) -> None:
    running, reached = list(contenders), dict.fromkeys((c.id for c in contenders), 0)
    for rung, size in enumerate(final.sizes):
        last = rung == len(final.sizes) - 1
        final.run_rungs(_due(final, precision, running, rung), precision, rung)
        if last:
            for candidate in running:
                _save(final, precision, candidate)
        answering = [c for c in running if not has_failed(final.store, c, "validation", precision)]
        reached |= {c.id: size for c in answering}
        stay = answering if last else _undropped(final, precision, contenders, answering, reached)
        for candidate in running:
            if candidate not in stay:
                _save(final, precision, candidate)
        running = stay


def _due(
    final: Final, precision: Precision, running: Sequence[Candidate], rung: int
) -> Iterator[tuple[Candidate, Sequence[Asked]]]:
    """Those that have yet to answer something of a rung, and what."""
    for candidate in running:
        new = _unanswered(final, precision, candidate, rung)
        if new and not has_failed(final.store, candidate, "validation", precision):
            yield candidate, new


def _undropped(
    final: Final, precision: Precision, contenders: Sequence[Candidate], running: Sequence[Candidate], reached: dict[int, int]
) -> list[Candidate]:
    """Those of the running that go on; `reached` are the places that each contender has answered in this race, by id."""
    raced = [c for c in contenders if reached[c.id]]
    if not running:
        return []
    answers = {c.id: _answers(final, precision, c, reached[c.id]) for c in raced}
    against = evidence(final.plan, list(answers.values()), 1, break_ties=final.stage.breaks_ties)
    strength = dict(zip(answers, against, strict=True))
    stay = [c for c in running if strength[c.id] < 1.0 / ERROR]
    sound = [c for c in stay if _mark(final, c, list(chain.from_iterable(answers[c.id]))) is None]
    return sound if any(c.kind != "parent" for c in sound) else stay


def _answers(final: Final, precision: Precision, candidate: Candidate, places: int) -> list[AnsweredPlace]:
    known = _known(final.store, candidate, precision)
    return [tuple(known[_key(asked)] for asked in place) for place in final_places(final.plan)[:places]]


def _unanswered(final: Final, precision: Precision, candidate: Candidate, rung: int) -> list[Asked]:
    """What a contender has yet to answer of a rung."""
    known = _known(final.store, candidate, precision)
    start, end = final.sizes[rung - 1] if rung else 0, final.sizes[rung]
    return [asked for asked in chain.from_iterable(final_places(final.plan)[start:end]) if _key(asked) not in known]


def _known(store: Store, candidate: Candidate, precision: str) -> dict[tuple[str, str], ItemScore]:
    return {(i.task, i.item): i for i in store.item_scores(candidate.id, "validation", precision)}


def _key(asked: Asked) -> tuple[str, str]:
    return asked.task.name, asked.item.id


def _mark(final: Final, candidate: Candidate, items: Sequence[ItemScore]) -> str | None:
    """The coherence guard's objection to a child; references are what children are measured against, and never marked."""
    if candidate.generation is None or final.guard is None or not items:
        return None
    return objection(final.guard, items, ())


def _save(final: Final, precision: Precision, candidate: Candidate) -> None:
    """The contender's evaluation on what it was asked; its item scores are in the store already."""
    store, place = final.store, candidate.twin or candidate.id
    passes, items = store.passes_of(candidate.id, "validation", precision), store.item_scores(place, "validation", precision)
    seconds, failed = sum(done.seconds for done in passes), next((done for done in passes if done.failure is not None), None)
    known = store.evaluation(candidate.id, "validation", precision)
    if failed is not None:
        found = Evaluation(None, failed.loss, failed.failure, seconds, sum(done.tokens for done in passes))
    elif items:
        found = evaluation_on(final.plan, items, seconds)
    else:
        return
    if known is None or (known.score, known.loss, known.tokens) != (found.score, found.loss, found.tokens):
        mark = _mark(final, candidate, items)
        store.save_evaluation(place, "validation", precision, found, (), mark=mark, replace=known is not None)
