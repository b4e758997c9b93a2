"""What a candidate of a run stands for: the fixed merge that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evomerge_core.fixed_merge.fixed_merge import FixedMerge
from evomerge_core.genome.space import Space, make_space
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.merging.config import MergeConfig, whole_model
from evomerge_core.paths.path import Path
from evomerge_core.paths.path_merge import PathMerge, only_used, template_of
from evomerge_core.paths.space import PathSpace
from evomerge_core.recipe.stages import plan_stages
from evomerge_core.recipe.tokenizer_source import chosen_tokenizer
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import POOL, Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.sources.checks.bodies import has_eyes

# The weight of each of a pool's members in the merges that are raced.
POOL_WEIGHT = 0.75


@dataclass(frozen=True)
class PathCandidate:
    """A candidate that is a path: the stage that asked for it, and the path through that stage's pool."""

    stage: StageSetup
    space: PathSpace
    path: Path


def stage_of(setup: Setup, candidate: Candidate) -> StageSetup:
    """The stage that asked for a candidate of the search. An equal-weight merge belongs to the first stage that evolves
    weights."""
    if candidate.stage is None:
        return next(stage for stage in setup.stages if isinstance(stage.space, Space))
    return setup.stages[candidate.stage]


def path_candidate(setup: Setup, candidate: Candidate) -> PathCandidate | None:
    """The candidate as a path; None for a merge of weights."""
    if candidate.genome is None:
        return None
    stage = stage_of(setup, candidate)
    if not isinstance(stage.space, PathSpace):
        return None
    return PathCandidate(stage, stage.space, stage.space.to_path(np.array(candidate.genome)))


def child_of(setup: Setup, store: Store, candidate: Candidate) -> FixedMerge:
    """The fixed merge that a candidate stands for."""
    if candidate.kind == "parent":
        return whole_model(setup.parents[candidate.label], setup.tokenizer)
    if candidate.kind == POOL:
        return _pool_merge(setup, [list(setup.parents)[int(place)] for place in candidate.genome or ()])
    routed = path_candidate(setup, candidate)
    if routed is not None:
        members = pool_members(setup, store, routed.stage)
        return only_used(PathMerge(members, routed.path, setup.recipe.seed, _tokenizer(setup, members[0])))
    stage = stage_of(setup, candidate)
    assert isinstance(stage.space, Space)
    child = stage.space.to_config(np.array(candidate.genome))
    return without_unused(child) if stage.search.breeds else child


def without_unused(merge: MergeConfig) -> MergeConfig:
    """A merge by weights without the sources whose weight is 0 everywhere, which add nothing; one that gives the child its
    tokenizer stays, and so does the first where all are 0."""
    (part,) = merge.slices
    used = [s for s in part.sources if s.model == merge.tokenizer or any(any(one.values) for one in s.parameters["weight"])]
    return replace(merge, slices=(replace(part, sources=tuple(used) or part.sources[:1]),))


def _pool_merge(setup: Setup, names: Sequence[str]) -> MergeConfig:
    """Some of a pool's members with equal weights; one alone is itself."""
    members = {name: setup.parents[name] for name in names}
    if len(members) == 1:
        return whole_model(members[names[0]], setup.tokenizer)
    recipe, base = setup.recipe, setup.sources[setup.recipe.base]
    searched = plan_stages(recipe)[0].searched
    assert isinstance(searched, SearchSpace)  # a pool is for weights
    space = make_space(searched, recipe.base, members, setup.layers, base.names, recipe.seed, chosen_tokenizer(recipe))
    return space.to_config(space.uniform(POOL_WEIGHT))


def pool_members(setup: Setup, store: Store, stage: StageSetup) -> tuple[MergeConfig, ...]:
    """The models whose layers a stage's paths run through: sources as they are, and the winners of earlier stages."""
    return tuple(_member(setup, store, name) for name in stage.pool)


def _member(setup: Setup, store: Store, name: str) -> MergeConfig:
    if name in setup.parents:
        return whole_model(setup.parents[name], setup.tokenizer)
    winners = read_facts(store).stage_winners
    stage = next(stage for stage in setup.stages if stage.name == name)
    child = child_of(setup, store, store.candidate(winners[stage.index]))
    assert isinstance(child, MergeConfig)  # paths come last
    return child


def _tokenizer(setup: Setup, first: MergeConfig) -> str | None:
    """None where the first member's own tokenizer and vocabulary are the child's, and it sees where the base does."""
    template, giver = template_of(first, setup.sources), setup.sources[setup.tokenizer]
    if has_eyes(giver) and not has_eyes(template):
        return setup.tokenizer
    own = template.rows is None and template.tokenizer_folder == giver.tokenizer_folder
    return None if own else setup.tokenizer
