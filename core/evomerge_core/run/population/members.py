"""Candidates as members of a population: genomes as coefficients, and scores on every item of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from evomerge_core.errors import InputError
from evomerge_core.genome.space import Space
from evomerge_core.run.candidate.candidate_merge import stage_of
from evomerge_core.run.plan import RunPlan
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.records import FOUNDER, Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.search.population.coefficients import Coefficients
from evomerge_core.search.population.rules import Member
from evomerge_core.tasks.taste import TASTE, UNKNOWN


def to_coefficients(space: Space, genome: Sequence[float]) -> Coefficients:
    """A genome of weights alone as coefficients, [groups, sources]."""
    return np.array(genome).reshape(len(space.sources), -1).T.copy()


def to_genome(coefficients: Coefficients) -> NDArray[np.float64]:
    """The genome that `to_coefficients` takes, [numbers]."""
    return coefficients.T.ravel().copy()


def founders(setup: Setup, stage: StageSetup, store: Store) -> list[Member]:
    """What a stage's archive begins with: every parent, the equal-weight merges, and the members of the archive that it goes on
    from, as far as they have scores. Merges of another stage may have other numbers than this stage's, and aren't taken.

    Raises InputError where nobody has scores.
    """
    assert isinstance(stage.space, Space)
    found = []
    for candidate in (one for kind in ("parent", "uniform", FOUNDER) for one in store.candidates(kind)):
        if candidate.genome is not None and stage_of(setup, candidate).index != stage.index:
            continue
        scores = item_scores(setup.plan, store, candidate)
        if scores is not None:
            found.append(Member(candidate.id, _coefficients(stage.space, candidate), scores))
    if not found:
        remedy = "see each one's reason with `evomerge-tui candidate`"
        raise InputError("there is nobody to breed: no source could be scored", remedy=remedy)
    return found


def item_scores(plan: RunPlan, store: Store, candidate: Candidate) -> NDArray[np.float64] | None:
    """The candidate's score on each of the search's items, in the plan's order; None where it failed or wasn't asked all."""
    evaluation = store.evaluation(candidate.id, "search", plan.precision)
    known = {(one.task, one.item): one.value for one in store.item_scores(candidate.id, "search", plan.precision)}
    asked = [(one.task.name, one.item.id) for one in plan.asked["search"]]
    if evaluation is None or evaluation.score is None or not all(item in known for item in asked):
        return None
    return np.array([known[item] for item in asked])


def rated_scores(plan: RunPlan, scores: NDArray[np.float64], value: float) -> NDArray[np.float64]:
    """The scores of one that is worth so much by votes, [items]; without taste they stay."""
    by_votes = np.array([one.task.name == TASTE for one in plan.asked["search"]])
    return np.where(by_votes, value, scores) if plan.votes else scores


def rated_members(plan: RunPlan, members: Sequence[Member], ratings: Mapping[int, float]) -> list[Member]:
    """The members with what votes say of them now, by id."""
    return [replace(one, scores=rated_scores(plan, one.scores, ratings.get(one.id, UNKNOWN))) for one in members]


def task_of_items(plan: RunPlan) -> NDArray[np.int64]:
    """The number of each search item's task, [items]."""
    names = list(plan.weights)
    return np.array([names.index(one.task.name) for one in plan.asked["search"]], dtype=np.int64)


def worth_of_items(plan: RunPlan) -> NDArray[np.float64]:
    """What each search item is worth, [items]: tasks count by their weights, however many items they have."""
    counts = {name: len(list(some)) for name, some in groupby(one.task.name for one in plan.asked["search"])}
    return np.array([plan.weights[one.task.name] / counts[one.task.name] for one in plan.asked["search"]])


def _coefficients(space: Space, candidate: Candidate) -> Coefficients:
    if candidate.genome is not None:
        return to_coefficients(space, candidate.genome)
    alone = [float(label == candidate.label) for label in space.labels]
    return np.tile(alone, (len(space.grouping.names), 1))
