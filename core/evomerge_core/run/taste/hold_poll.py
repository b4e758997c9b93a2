"""Holding a poll: the job asks the judge, or waits for people, and then keeps what the votes say.

A poll that has ended isn't held again: a resumed run finds what candidates were worth then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.candidate.scoring import evaluation_on
from evomerge_core.run.plan import RunPlan, StagePlan
from evomerge_core.run.run_folder.commands import obey
from evomerge_core.run.store.facts import begin_phase, write_facts
from evomerge_core.run.store.records import Candidate, Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.run.taste.poll import Poll, answers_of, next_ballot, vote_on
from evomerge_core.run.taste.strengths import values_among
from evomerge_core.tasks.taste import TASTE, UNKNOWN, Judge

FINAL = "final"
_SEARCHING = 0.5  # of all votes, those that are cast before the final
_OTHERS = 8  # candidates that new ones are compared with
_POLL_SECONDS = 0.2


def hold_generation_poll(
    plan: RunPlan, stage: StagePlan, store: Store, evaluator: CachedEvaluator, generation: int, candidates: Sequence[Candidate]
) -> dict[int, float]:
    """What everybody is worth by id after a generation's poll, in which its candidates were compared with each other and with
    those that were thought the best before."""
    name = f"g{generation + 1}"
    if not (known := store.ratings(name)):
        new = _comparable(plan, store, candidates)
        until = _until(plan, stage, store, generation)
        _hold(plan, store, evaluator, Poll(name, (*new, *_best_others(plan, store, new)), tuple(new), until))
        known = store.ratings(name)
        begin_phase(store, "search", stage.budget.evaluations, stage.index, stage.name)
    return known


def hold_final_poll(
    plan: RunPlan, store: Store, evaluator: CachedEvaluator, contenders: Sequence[Candidate], rivals: Sequence[Candidate]
) -> None:
    """Compares all who can win, with the votes that are left; the last of them are between the best and the `rivals`, of the
    contenders those that a child has to beat."""
    if not store.ratings(FINAL):
        some = tuple(sorted(_comparable(plan, store, contenders)))
        beaten = tuple(sorted(_comparable(plan, store, rivals)))
        _hold(plan, store, evaluator, Poll(FINAL, some, some, plan.votes, beaten))


def rated(plan: RunPlan, items: Sequence[ItemScore], value: float, seconds: float) -> Evaluation:
    """The evaluation of a candidate with these item scores that is worth so much by the votes."""
    return evaluation_on(plan, [replace(one, value=value) if one.task == TASTE else one for one in items], seconds)


def value_of(ratings: Mapping[int, float], candidate: Candidate) -> float:
    """What a candidate (or its twin) is worth; as much as the average where nobody has voted on it."""
    return ratings.get(candidate.twin or candidate.id, UNKNOWN)


def _until(plan: RunPlan, stage: StagePlan, store: Store, generation: int) -> int:
    """After how many votes a generation's poll ends: votes are shared out as evenly as the budget's candidates are."""
    searched = [one for one in store.candidates("search") if one.twin is None and (one.generation or 0) <= generation]
    share = min(1.0, len(searched) / (stage.budget.evaluations or len(searched)))
    return math.ceil(_SEARCHING * plan.votes * share - 1e-9)


def _comparable(plan: RunPlan, store: Store, candidates: Sequence[Candidate]) -> list[int]:
    """Those who have answered, each once, and whom the coherence guard has nothing against."""
    sound = [one for one in candidates if store.mark(one.id, "search", plan.precision) is None]
    return list(dict.fromkeys(one.twin or one.id for one in sound if answers_of(store, one.id, plan.precision)))


def _best_others(plan: RunPlan, store: Store, new: Sequence[int]) -> list[int]:
    others = [one for one in _known(plan, store) if one not in new]
    worth = values_among(store, others)
    return sorted(others, key=lambda one: -worth[one])[:_OTHERS]


def _known(plan: RunPlan, store: Store) -> list[int]:
    """Everybody who may be compared so far."""
    return _comparable(plan, store, [one for one, _ in store.scored("search", plan.precision)])


def _hold(plan: RunPlan, store: Store, evaluator: CachedEvaluator, poll: Poll) -> None:
    begin_phase(store, "votes" if evaluator.judge is None else "judging", plan.votes)
    if evaluator.judge is None:
        write_facts(store, poll=asdict(poll))
        _wait(plan, store, evaluator, poll)
    else:
        _ask(plan, store, evaluator, evaluator.judge, poll)
    _close(plan, store, poll)


def _wait(plan: RunPlan, store: Store, evaluator: CachedEvaluator, poll: Poll) -> None:
    """Until people have voted; that isn't the run's time."""
    began, seen = time.perf_counter(), -1
    while True:
        count = store.count_votes()
        if count != seen and next_ballot(store, poll, plan.precision) is None:
            break
        seen = count
        obey(store, evaluator.require_unchanged)
        time.sleep(_POLL_SECONDS)
    evaluator.since += time.perf_counter() - began


def _ask(plan: RunPlan, store: Store, evaluator: CachedEvaluator, judge: Judge, poll: Poll) -> None:
    prompts = {asked.item.id: asked.item.texts("prompt")[0] for asked in plan.asked["search"] if asked.task.name == TASTE}
    while (ballot := next_ballot(store, poll, plan.precision)) is not None:
        evaluator.since += obey(store, evaluator.require_unchanged)
        choice, again = judge(prompts[ballot.item], *ballot.answers)
        store.add_vote(vote_on(ballot, choice, voter="judge", again=again))


def _close(plan: RunPlan, store: Store, poll: Poll) -> None:
    """Keeps what everybody is worth who was ever compared, and the scores that this makes."""
    known = {*_known(plan, store), *poll.candidates}
    ratings = values_among(store, sorted(known))
    scores = {}
    for one, value in ratings.items():
        before = store.evaluation(one, "search", plan.precision)
        if before is not None and before.score is not None:
            score = rated(plan, store.item_scores(one, "search", plan.precision), value, before.seconds).score
            assert score is not None
            scores[one] = score
    store.close_poll(poll.name, ratings, task=TASTE, precision=plan.precision, scores=scores, votes=store.count_votes())
