"""The search of one stage: generations of candidates until the budget is spent."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from evomerge_core.paths.space import PathSpace
from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.generation.admission import Admission
from evomerge_core.run.generation.finalists import mean_candidate
from evomerge_core.run.generation.judging import race_settings, races, score_all
from evomerge_core.run.generation.race import race
from evomerge_core.run.generation.tasted import results_by_votes
from evomerge_core.run.plan import RunPlan, StagePlan
from evomerge_core.run.setup import StageSetup
from evomerge_core.run.store.facts import begin_phase, read_facts, write_facts
from evomerge_core.run.store.store import Store
from evomerge_core.run.timing.deadline import out_of_time
from evomerge_core.search.cma_es import CmaEs
from evomerge_core.search.flatness import is_flat
from evomerge_core.search.optimizer import Genome, Optimizer
from evomerge_core.search.racing.result import ranking_numbers

# Generations after which the search's mean is scored like a candidate: selection by luck doesn't flatter it.
MEAN_EVERY = 10
# How much of a search a damaged store may cost, at the most.
COPY_SECONDS = 60.0


def search(plan: RunPlan, stage: StageSetup, store: Store, evaluator: CachedEvaluator, first: int) -> int:
    """Generations until the stage's budget is spent, or nothing is left to choose from; the optimiser learns nothing from a
    generation that was cut short.

    `first` is the number of the stage's first generation; returns that of the next stage's.
    """
    start = read_facts(store).start_of(stage.index)
    optimizer = make_optimizer(stage, plan.seed, whole_ranking=not races(plan, stage), start=start)
    settings = race_settings(plan, stage, store, evaluator.guard)
    begin_phase(store, "search", stage.budget.evaluations, stage.index, stage.name)
    admission = Admission(stage, store)
    history: list[list[float | None]] = []
    for generation in itertools.count(first):
        if admission.exhausted or is_flat(history):
            return ended(store, stage, "evaluations" if admission.spent else "flat", generation)
        genomes = optimizer.ask()
        candidates = admission.admit(generation, genomes)
        if settings is None:
            results = score_all(plan, stage, store, evaluator.evaluate_all, candidates)
        else:
            results = race(
                settings,
                generation,
                candidates,
                len(genomes) // 2,
                evaluator.run_rungs,
                lambda items: not out_of_time(plan, stage, store, items),
            )
        if results is not None and plan.votes:
            results = results_by_votes(plan, stage, store, evaluator, generation, candidates, results)
        if results is None or len(candidates) < len(genomes):
            return ended(store, stage, "minutes" if results is None else "evaluations", generation + 1)
        optimizer.tell(ranking_numbers(results))
        history.append([result.fitness for result in results])
        write_facts(store, generation=generation + 1, sigma=optimizer.sigma, mean=optimizer.mean.tolist())
        store.keep_copy(unless_within=COPY_SECONDS)
        if (generation + 1 - first) % MEAN_EVERY == 0:
            _score_mean(plan, stage, store, evaluator, generation, optimizer.mean)
    raise AssertionError("generations never end by themselves")


def _score_mean(
    plan: RunPlan, stage: StagePlan, store: Store, evaluator: CachedEvaluator, generation: int, mean: Genome
) -> None:
    """Scores the search's mean after a generation on all of the search's items."""
    if not out_of_time(plan, stage, store, plan.items("search")):
        evaluator.evaluate(mean_candidate(store, stage, generation, mean.tolist()), "search", plan.precision)


def ended(store: Store, stage: StagePlan, reason: str, following: int) -> int:
    """Records why a stage's search ended: `evaluations`, `minutes`, or `flat` when nothing new or better is to be found."""
    reasons = read_facts(store).search_ended
    if len(reasons) == stage.index:
        write_facts(store, search_ended=[*reasons, reason])
        store.add_event("search_ended", stage=stage.name, reason=reason)
    return following


def make_optimizer(stage: StageSetup, seed: int, *, whole_ranking: bool, start: Sequence[float] | None = None) -> Optimizer:
    """The stage's optimiser; `start` is a genome in place of the search space's own start.

    A search of paths begins with A's own path itself: so it never ends below it on its own items.
    """
    space = stage.space
    return CmaEs(
        space.low,
        space.high,
        space.start if start is None else np.array(start),
        steps=space.steps,
        integers=space.integers,
        start_first=isinstance(space, PathSpace),
        sigma=stage.search.sigma,
        population=stage.search.population,
        seed=seed,
        whole_ranking=whole_ranking,
    )
