"""A recipe's models as far as planning needs them: their shapes, and what each search holds in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evomerge_core.discovery.headers import OpenedHeaders, download_bytes
from evomerge_core.errors import InputError
from evomerge_core.paths.size import most_parameters
from evomerge_core.paths.space import PathSpace
from evomerge_core.recipe.schema import Budget, Recipe
from evomerge_core.run.setup import StageSetup, make_stages
from evomerge_core.search.cma_es import population_size
from evomerge_core.sources.architecture import layer_count
from evomerge_core.sources.source import Source
from evomerge_quant.planning.machine.timings import count_parameters

# Layers of a long path, as a multiple of the base's.
_LONG_PATH = 1.5


@dataclass(frozen=True)
class PlannedSearch:
    """One search: its numbers, its limits, and the weights of a usual and of the largest candidate; `held_parameters` are those
    that are in memory at most: of the largest candidate, or of all models whose layers its paths run through."""

    numbers: int
    budget: Budget
    population: int
    parameters: int
    most_parameters: int
    held_parameters: int


@dataclass(frozen=True)
class Plan:
    """The models of a recipe as far as an estimate needs them: all but their weights; and the methods that merge them."""

    base: Source
    parameters: int
    sources: int
    largest: int
    download: int
    searches: tuple[PlannedSearch, ...]
    methods: tuple[str, ...] = ("passthrough",)


def plan_of(recipe: Recipe, looked: OpenedHeaders) -> Plan:
    """The facts of a recipe's models. Raises InputError when its groups don't fit the base, or that can't be looked at."""
    if recipe.base not in looked.opened:
        remedy = "download it first, or choose a base with safetensors"
        raise InputError("its weights are pickles", where=recipe.base, remedy=remedy)
    download = download_bytes(looked.opened.values()) + sum(looked.unseen.values())
    return plan_with(recipe, looked.opened[recipe.base], download)


def plan_with(recipe: Recipe, base: Source, download: int = 0) -> Plan:
    """As `plan_of`, with the opened base and the bytes that must be downloaded."""
    shapes = {name: base.shape(name) for name in base.names}
    stages = make_stages(recipe, base)
    return Plan(
        base=base,
        parameters=count_parameters(shapes),
        sources=len(recipe.sources),
        largest=max(math.prod(shape) for shape in shapes.values()),
        download=download,
        searches=tuple(_planned(stage, base, count_parameters(shapes)) for stage in stages),
        methods=tuple({"passthrough" if isinstance(stage.space, PathSpace) else stage.space.method for stage in stages}),
    )


def _planned(stage: StageSetup, base: Source, parameters: int) -> PlannedSearch:
    space, layers, most = stage.space, layer_count(base), parameters
    usual = held = parameters
    if isinstance(space, PathSpace):
        # paths grow from A's own; few come near to all that an encoding could hold
        most = most_parameters(base, min(space.most_layers, int(_LONG_PATH * layers)))
        usual = (parameters + most) // 2
        held = max(most, most_parameters(base, len(stage.pool) * layers))
    population = stage.search.population or population_size(space.dimension)
    return PlannedSearch(space.dimension, stage.budget, population, usual, most, held)
