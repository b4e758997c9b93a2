"""A recipe's stages in order and in full: what each searches, for how long, and with what."""

from __future__ import annotations

from dataclasses import dataclass

from evomerge_core.genome.spec import SearchSpace
from evomerge_core.paths.spec import Paths
from evomerge_core.recipe.schema import Budget, Racing, Recipe, SearchSettings, Stage

# The paper's population for paths (arXiv 2403.13187); CMA-ES's own default is for far fewer numbers.
_PAPER_POPULATION = 128
# Children of an archive that don't know each other; their authors have one, and an archive grows no worse by a few.
_CHILDREN = 4
_ARCHIVE = 15


@dataclass(frozen=True)
class PlannedStage:
    """One search. `pool` names the models whose layers a path runs through, the first being A; () where weights are evolved."""

    name: str
    searched: SearchSpace | Paths
    pool: tuple[str, ...]
    budget: Budget
    search: SearchSettings


def plan_stages(recipe: Recipe) -> tuple[PlannedStage, ...]:
    """The stages of a recipe; one that gives none has one, of its `search_space` or its `paths`."""
    stages = recipe.stages or (_only_stage(recipe),)
    return tuple(_planned(recipe, stages, index) for index in range(len(stages)))


def _only_stage(recipe: Recipe) -> Stage:
    if recipe.paths is not None:
        return Stage(name="paths", paths=recipe.paths)
    return Stage(name="weights", search_space=recipe.search_space)


def _planned(recipe: Recipe, stages: tuple[Stage, ...], index: int) -> PlannedStage:
    stage = stages[index]
    searched = stage.paths or stage.search_space
    assert searched is not None  # a stage has one of both
    search = stage.search or recipe.search
    if isinstance(searched, Paths) and searched.preset == "paper" and search.population is None:
        search = search.model_copy(update={"population": _PAPER_POPULATION})
    if search.breeds and isinstance(searched, Paths):
        # the recipe's search is for its weights
        search = search.model_copy(update={"algorithm": "cma-es", "archive": None})
    elif search.breeds:
        given = {"population": search.population or _CHILDREN, "archive": search.archive or _ARCHIVE}
        search = search.model_copy(update=given)
    if recipe.taste is not None and not search.breeds:
        # votes compare answers to the same prompts
        search = search.model_copy(update={"racing": Racing(enabled=False)})
    pool = _pool(recipe, stages[:index], searched) if isinstance(searched, Paths) else ()
    return PlannedStage(stage.name, searched, pool, stage.budget or recipe.budget, search)


def _pool(recipe: Recipe, earlier: tuple[Stage, ...], paths: Paths) -> tuple[str, ...]:
    last = tuple(stage.name for stage in earlier[-1:])
    return paths.sources or (*last, *(source.name for source in recipe.sources))
