"""The search of one stage by breeding: generations of children of an archive, all asked the same items.

As with every search the store is the only state: a resumed run breeds the same children again and finds their scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evomerge_core.genome.space import Space
from evomerge_core.merging.gram import gram_by_group
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.generation.admission import Admission
from evomerge_core.run.generation.generations import COPY_SECONDS, ended
from evomerge_core.run.generation.judging import score_all
from evomerge_core.run.plan import RunPlan
from evomerge_core.run.population.members import (
    founders,
    item_scores,
    rated_members,
    rated_scores,
    task_of_items,
    to_genome,
    worth_of_items,
)
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.facts import begin_phase, read_facts, write_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.taste.hold_poll import hold_generation_poll, value_of
from evomerge_core.search.population.cells import Cells
from evomerge_core.search.population.coefficients import Gram
from evomerge_core.search.population.niches import Niches
from evomerge_core.search.population.population import Population, ask, found, tell
from evomerge_core.search.population.rules import Child, Rules

# How far a child's coefficients move, as a share of their range. Children on the sphere between two sources never leave it, and
# the best merges of few sources seldom lie there; `tests/benchmarks/replay/archives.py` has both.
MUTATION = 1 / 8


def breed(setup: Setup, stage: StageSetup, store: Store, evaluator: CachedEvaluator, first: int) -> int:
    """Generations until the stage's budget is spent, or no child is new; `first` is the number of the stage's first
    generation, and that of the next stage's is returned."""
    plan, space = setup.plan, stage.space
    assert isinstance(space, Space)  # the recipe is checked
    # what an earlier stage's optimiser left there isn't this search's
    write_facts(store, sigma=None, mean=None)
    begin_phase(store, "search", stage.budget.evaluations, stage.index, stage.name)
    rules = make_rules(setup, stage, space, store)
    ratings: Mapping[int, float] = {}
    # a resumed run's store holds what later votes said of them
    population = found(plan.seed, rated_members(plan, founders(setup, stage, store), ratings), rules)
    admission = Admission(stage, store)
    for generation in itertools.count(first):
        if admission.exhausted:
            return ended(store, stage, "evaluations" if admission.spent else "flat", generation)
        children = ask(population, rules, stage.search.population or 1)
        candidates = admission.admit(generation, [to_genome(child.coefficients) for child in children])
        results = score_all(plan, stage, store, evaluator.evaluate_all, candidates)
        if results is not None and plan.votes:
            ratings = hold_generation_poll(plan, stage, store, evaluator, generation, candidates)
            population = replace(population, members=tuple(rated_members(plan, population.members, ratings)))
        population = _told(plan, store, population, rules, candidates, children, ratings)
        _record(store, generation, population, candidates, children)
        store.keep_copy(unless_within=COPY_SECONDS)
        if results is None or len(candidates) < len(children):
            return ended(store, stage, "minutes" if results is None else "evaluations", generation + 1)
    raise AssertionError("generations never end by themselves")


def make_rules(setup: Setup, stage: StageSetup, space: Space, store: Store) -> Rules:
    """How the stage's archive breeds."""
    low, high, size = float(space.low[0]), float(space.high[0]), stage.search.archive or 1
    mutation = MUTATION * (high - low)
    if stage.search.algorithm == "cells":
        return Cells(task_of_items(setup.plan), size, mutation=mutation, low=low, high=high)
    gram = _gram(setup, stage, space, store)
    return Niches(gram, worth_of_items(setup.plan), size, mutation=mutation, low=low, high=high)


def _gram(setup: Setup, stage: StageSetup, space: Space, store: Store) -> Gram:
    """The sources' dot products: read from the sources once, so that a resumed run breeds with the same ones."""
    kept = read_facts(store).grams
    if str(stage.index) not in kept:
        merges = make_plan(space.to_config(np.ones(space.dimension)), setup.sources)
        gram = gram_by_group(merges, setup.sources, space.grouping.index, len(space.grouping.names))
        kept = {**kept, str(stage.index): gram.tolist()}
        write_facts(store, grams=kept)
    return np.array(kept[str(stage.index)])


def _told(
    plan: RunPlan,
    store: Store,
    population: Population,
    rules: Rules,
    candidates: Sequence[Candidate],
    children: Sequence[Child],
    ratings: Mapping[int, float],
) -> Population:
    """The population after a generation, which may have been cut short. Twins are known already, and what the coherence guard
    marks doesn't breed."""
    scores = [
        None if one.twin is not None or store.mark(one.id, "search", plan.precision) else item_scores(plan, store, one)
        for one in candidates
    ]
    ids = [candidate.id for candidate in candidates]
    known = [
        None if own is None else rated_scores(plan, own, value_of(ratings, one))
        for one, own in zip(candidates, scores, strict=True)
    ]
    return tell(population, rules, list(zip(ids, children, strict=False)), known)


def _record(
    store: Store, generation: int, population: Population, candidates: Sequence[Candidate], children: Sequence[Child]
) -> None:
    """Keeps who the children's parents are and who stays, once."""
    facts = read_facts(store)
    if facts.archives and facts.archives[-1][0] >= generation:
        return
    new = [[one.id, *child.parents] for one, child in zip(candidates, children, strict=False) if one.twin is None]
    write_facts(
        store,
        generation=generation + 1,
        births=[*facts.births, *new],
        archives=[*facts.archives, [generation, *(member.id for member in population.members)]],
    )
