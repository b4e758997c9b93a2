"""The search of one stage: generations of candidates until the budget is spent."""

from __future__ import annotations

import itertools

from evomerge_core.paths.space import PathSpace
from evomerge_core.run.candidate.cached_evaluation import Evaluated
from evomerge_core.run.generation.admission import Entrants
from evomerge_core.run.generation.judging import Contest, make_track, races
from evomerge_core.run.phases import begin_phase
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.store import Store
from evomerge_core.search.cma_es import CmaEs
from evomerge_core.search.flatness import is_flat
from evomerge_core.search.optimizer import Optimizer
from evomerge_core.search.racing.standing import told

# Generations after which the search's centre is scored like a candidate: selection by luck doesn't flatter it.
MEAN_EVERY = 10


def search(setup: Setup, stage: StageSetup, store: Store, evaluated: Evaluated, first: int) -> int:
    """Generations until the stage's budget is spent, or nothing is left to choose from; one cut short is not told.

    `first` is the number of the stage's first generation; returns that of the next stage's.
    """
    optimizer = make_optimizer(stage, setup.recipe.seed, whole_ranking=not races(setup, stage))
    contest = Contest(setup, stage, store, evaluated, make_track(setup, stage, store, evaluated.guard))
    begin_phase(store, "search", stage.budget.evaluations, stage)
    entrants = Entrants(stage, store)
    history: list[list[float | None]] = []
    for generation in itertools.count(first):
        if entrants.exhausted or is_flat(history):
            return _ended(store, stage, "evaluations" if entrants.spent else "flat", generation)
        genomes = optimizer.ask()
        candidates = entrants.admit(generation, genomes)
        standings = contest.hold(generation, candidates, len(genomes) // 2)
        if standings is None or len(candidates) < len(genomes):
            return _ended(store, stage, "minutes" if standings is None else "evaluations", generation + 1)
        optimizer.tell(told(standings))
        history.append([one.fitness for one in standings])
        store.set_facts(generation=generation + 1, sigma=optimizer.sigma, mean=optimizer.mean.tolist())
        if (generation + 1 - first) % MEAN_EVERY == 0:
            contest.score_mean(generation, optimizer.mean)
    raise AssertionError("generations never end by themselves")


def _ended(store: Store, stage: StageSetup, reason: str, following: int) -> int:
    """Notes why a stage's search ended: `evaluations`, `minutes`, or `flat` when nothing new or better is to be found."""
    reasons: list[str] = store.fact("search_ended", [])
    if len(reasons) == stage.index:
        store.set_facts(search_ended=[*reasons, reason])
        store.add_event("search_ended", stage=stage.name, reason=reason)
    return following


def make_optimizer(stage: StageSetup, seed: int, *, whole_ranking: bool) -> Optimizer:
    """The stage's optimiser. A search of paths begins with A's own path itself: so it never ends below it on its own items."""
    space = stage.space
    return CmaEs(
        space.low,
        space.high,
        space.start,
        steps=space.steps,
        integers=space.integers,
        start_first=isinstance(space, PathSpace),
        sigma=stage.search.sigma,
        population=stage.search.population,
        seed=seed,
        whole_ranking=whole_ranking,
    )
