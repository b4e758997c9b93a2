"""The run from its first reference to its verdict: a list of evaluations, each of which the store knows or not.

There is no state beside the store. A resumed run walks the same way again, finds what is finished, and tells the
optimiser the same history; so it ends where an uninterrupted run would have ended.
"""

from __future__ import annotations

import time
from dataclasses import asdict

from evomerge_core.genome.space import Space
from evomerge_core.paths.space import PathSpace
from evomerge_core.run.candidate.cached_evaluation import Evaluated
from evomerge_core.run.candidate.candidate_loader import Bench, MakeEvaluator
from evomerge_core.run.candidate.fitness import stage_fitness
from evomerge_core.run.generation.finalists import best_finalist, choose_finalists
from evomerge_core.run.generation.generations import search
from evomerge_core.run.generation.judging import races
from evomerge_core.run.phases import begin_phase
from evomerge_core.run.references import add_references
from evomerge_core.run.rehearsal import foretell_from
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.store import Candidate, Store


def run(setup: Setup, store: Store, make_evaluator: MakeEvaluator, *, since: float | None = None) -> Candidate:
    """Scores references, carries out each stage and tests what came of it; returns the last stage's winner.

    `since` (of `time.perf_counter`) is when the job began: opening the models counts as the run's time too.
    """
    store.set_facts(state="running", **_standing_facts(setup))
    bench = Bench(setup, store, make_evaluator)
    evaluated = Evaluated(setup, store, bench, time.perf_counter() if since is None else since)
    references = list(add_references(setup, store))
    begin_phase(store, "references", len(references))
    for candidate in references:
        evaluated(candidate, "search", setup.precision)
    if store.fact("foretold") is None:
        foretold = foretell_from(setup, store)
        store.set_facts(foretold=None if foretold is None else asdict(foretold))
    winners = _carry_out(setup, store, evaluated)
    tested = [*references, *winners]
    begin_phase(store, "test", len(tested) * len(setup.precisions))
    for precision in reversed(setup.precisions):
        for candidate in tested:
            evaluated(candidate, "test", precision)
    return winners[-1]


def _standing_facts(setup: Setup) -> dict[str, object]:
    """What readers of the store can't know without opening the models."""
    totals = [stage.budget.evaluations for stage in setup.stages]
    return {
        "precision": setup.precision,
        "precisions": setup.precisions,
        "evaluations_total": None if None in totals else sum(total or 0 for total in totals),
        "stages": [_stage_facts(setup, stage) for stage in setup.stages],
        "items": {split: setup.items(split) for split in setup.asked},
        "weights": {task.name: task.weight for task in setup.tasks},
    }


def _stage_facts(setup: Setup, stage: StageSetup) -> dict[str, object]:
    """A stage's name, what it evolves, and, for paths, through whose layers: `layers` of each model of `pool`."""
    paths = isinstance(stage.space, PathSpace)
    facts: dict[str, object] = {"name": stage.name, "evolves": "paths" if paths else "weights"}
    if isinstance(stage.space, PathSpace):
        facts |= {"pool": stage.pool, "layers": setup.layers, "most_layers": stage.space.most_layers}
    return facts


def _carry_out(setup: Setup, store: Store, evaluated: Evaluated) -> list[Candidate]:
    """Every stage in order; their winners. What the store says of a stage is the same each time it is carried out."""
    winners: list[Candidate] = []
    first = 0
    for stage in setup.stages:
        _begin_stage(stage, store, first)
        first = search(setup, stage, store, evaluated, first)
        winners.append(_winner(setup, stage, store, evaluated))
        known = store.fact("stage_winners", [])
        if len(known) == stage.index:
            store.set_facts(stage_winners=[*known, winners[-1].id], winner=winners[-1].id)
    return winners


def _begin_stage(stage: StageSetup, store: Store, first: int) -> None:
    """Notes once which generation a stage begins with, and after how much of the run's active time."""
    weights = stage.space.dimensions if isinstance(stage.space, Space) else ()
    store.set_facts(dimensions=[asdict(one) for one in weights])
    starts, seconds = store.fact("stage_starts", []), store.fact("stage_seconds", [])
    if len(starts) == stage.index:
        # the first stage's minutes count from the run's start
        spent = store.fact("active_seconds", 0.0) if stage.index else 0.0
        store.set_facts(stage_starts=[*starts, first], stage_seconds=[*seconds, spent])


def _winner(setup: Setup, stage: StageSetup, store: Store, evaluated: Evaluated) -> Candidate:
    """Re-scores the finalists on validation items in every precision; the best over all those items wins.

    The best of many candidates on few items is partly luck, and 4 bits are not what is shipped: both are put right
    here, on items that the search has not seen, before the test is looked at.
    """
    finalists = choose_finalists(setup, stage, store)
    if not setup.items("validation"):
        return finalists[0]
    begin_phase(store, "validation", len(finalists) * len(setup.precisions), stage)
    totals = dict.fromkeys((c.id for c in finalists), 0.0)
    for precision in setup.precisions:
        for candidate in finalists:
            evaluation = evaluated(candidate, "validation", precision)
            totals[candidate.id] += stage_fitness(setup, stage, evaluation, "validation") or 0.0
    if races(setup, stage):
        # the few items of a race are those that each finalist was lucky on
        winner = best_finalist(setup, store, totals, finalists)
        evaluated(winner, "search", setup.precision)
        return winner
    for candidate in finalists:
        score = evaluated(candidate, "search", setup.precision)
        weight = setup.items("search") / setup.items("validation")
        totals[candidate.id] += weight * (stage_fitness(setup, stage, score, "search") or 0.0)
    return best_finalist(setup, store, totals, finalists)
