"""A generation by votes: what its candidates are worth once their answers have been compared."""

from __future__ import annotations

from collections.abc import Sequence

from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.plan import RunPlan, StagePlan
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.taste.hold_poll import hold_generation_poll, rated, value_of
from evomerge_core.search.racing.result import RaceResult


def results_by_votes(
    plan: RunPlan,
    stage: StagePlan,
    store: Store,
    evaluator: CachedEvaluator,
    generation: int,
    candidates: Sequence[Candidate],
    results: Sequence[RaceResult],
) -> list[RaceResult]:
    """The results of a generation that was scored on everything, with what the poll says in place of what nobody knew."""
    ratings = hold_generation_poll(plan, stage, store, evaluator, generation, candidates)
    found = []
    for candidate, result in zip(candidates, results, strict=True):
        items = store.item_scores(candidate.id, "search", plan.precision)
        if result.fitness is not None and items:
            evaluation = rated(plan, items, value_of(ratings, candidate), 0.0)
            worth = fitness(evaluation, plan.items("search"), break_ties=stage.breaks_ties)
            result = RaceResult(worth, result.rung, incoherent=result.incoherent)
        found.append(result)
    return found
