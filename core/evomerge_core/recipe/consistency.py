"""Rules of a recipe that depend on the merge methods and tasks: every key must have an effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evomerge_core.errors import InputError, unknown_name
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.recipe.schema import Recipe, SearchSettings
from evomerge_core.recipe.tokenizer_source import BASE, tokenizer_name
from evomerge_core.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from evomerge_core.methods.method import Method


Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Inconsistency:
    """What is wrong, at which key, and what to do about it."""

    location: Place
    text: str
    remedy: str = ""


def find_inconsistency(recipe: Recipe) -> Inconsistency | None:
    """The first thing in a recipe that its merge method or a task has no use for, or lacks; None when all is well."""
    return next(_problems(recipe), None)


def _refused(location: Place, error: InputError) -> Inconsistency:
    return Inconsistency(location, error.fault, error.remedy)


def _problems(recipe: Recipe) -> Iterator[Inconsistency]:
    yield from _pool_problems(recipe)
    yield from _tokenizer_problems(recipe)
    yield from _stage_problems(recipe)
    for place, space in _search_spaces(recipe):
        yield from _space_problems(recipe, space, place)
    yield from _racing_problems(recipe)
    yield from _breeding_problems(recipe)
    yield from _task_problems(recipe)
    yield from _taste_problems(recipe)
    if recipe.evaluation.early_end and not any(_ends_early(task) for task in recipe.tasks):
        text = "has no effect: no task has a scorer (exact, contains) that knows before the end, and no language"
        yield Inconsistency(("evaluation", "early_end"), text, "remove it")


def _tokenizer_problems(recipe: Recipe) -> Iterator[Inconsistency]:
    try:
        tokenizer_name(recipe)
    except InputError as error:
        yield _refused(("tokenizer_source",), error)


def _pool_problems(recipe: Recipe) -> Iterator[Inconsistency]:
    if not recipe.pool:
        return
    remedy = "write the sources' names under 'sources' instead"
    if recipe.paths is not None or recipe.stages:
        key = "paths" if recipe.paths is not None else "stages"
        yield Inconsistency((key,), "can't be combined with pool, which chooses sources for one search of weights", remedy)
    if recipe.tokenizer_source not in (None, BASE):
        text = "must be base with a pool: nobody knows yet which of its models are chosen"
        yield Inconsistency(("tokenizer_source",), text, "write base, or remove it")


def _search_spaces(recipe: Recipe) -> Iterator[tuple[Place, SearchSpace]]:
    """Every search for weights, with where it stands."""
    for index, stage in enumerate(recipe.stages):
        if stage.search_space is not None:
            yield ("stages", index, "search_space"), stage.search_space
    if not recipe.stages and recipe.paths is None:
        yield ("search_space",), recipe.search_space


def _stage_problems(recipe: Recipe) -> Iterator[Inconsistency]:
    names = [source.name for source in recipe.sources]
    for index, stage in enumerate(recipe.stages):
        place: Place = ("stages", index)
        if stage.name in names:
            yield Inconsistency((*place, "name"), f"{stage.name!r} is a source's name already", "choose another")
        if stage.paths is not None:
            if index + 1 < len(recipe.stages):
                yield Inconsistency((*place, "paths"), "paths must come last: their child has another depth than the sources")
            earlier = [before.name for before in recipe.stages[:index]]
            yield from _unknown_pool(stage.paths.sources, [*earlier, *names], (*place, "paths", "sources"))
    if recipe.paths is not None:
        yield from _unknown_pool(recipe.paths.sources, names, ("paths", "sources"))


def _racing_problems(recipe: Recipe) -> Iterator[Inconsistency]:
    places: list[tuple[Place, SearchSettings | None]] = [(("search",), recipe.search)]
    places += [(("stages", index, "search"), stage.search) for index, stage in enumerate(recipe.stages)]
    for place, search in places:
        racing = None if search is None else search.racing
        if racing is None or not racing.enabled:
            continue
        if not recipe.splits.validation:
            text = "needs validation items: a few search items can't decide the winner"
            yield Inconsistency((*place, "racing"), text, "raise splits: validation, or write off")
        most = recipe.splits.search
        for key in ("items", "first"):
            asked = getattr(racing, key)
            if asked is not None and asked > most:
                yield Inconsistency((*place, "racing", key), f"{asked} is more than the search has (splits: search: {most})")


def _breeding_problems(recipe: Recipe) -> Iterator[Inconsistency]:
    if recipe.search.breeds and not recipe.stages:
        yield from _bred_problems(recipe, recipe.search, recipe.search_space, recipe.paths is not None, ())
    for index, stage in enumerate(recipe.stages):
        search, place = stage.search or recipe.search, ("stages", index)
        if search.breeds and (stage.search is not None or stage.paths is None):
            yield from _bred_problems(recipe, search, stage.search_space, stage.paths is not None, place)


def _bred_problems(
    recipe: Recipe, search: SearchSettings, space: SearchSpace | None, paths: bool, place: Place
) -> Iterator[Inconsistency]:
    """What hinders a search from breeding an archive: members are sums of the sources, each times its coefficient."""
    name, of_space = search.algorithm, (*place, "search_space")
    if paths or space is None:
        yield Inconsistency((*place, "search", "algorithm"), f"{name} breeds weights, not paths", "write cma-es")
        return
    if name == "cells" and len(recipe.tasks) + (recipe.taste is not None) < 2:
        text = "cells needs at least two tasks, whose scores are its coordinates"
        yield Inconsistency((*place, "search", "algorithm"), text, "add a task, or write niches")
    if space.method not in ("task_arithmetic", "linear"):
        text = f"{name} breeds linear merges, and {space.method} is none"
        yield Inconsistency((*of_space, "method"), text, "use task_arithmetic, or linear with fixed: {normalize: false}")
        return
    if set(space.parameters) != {"weight"}:
        yield Inconsistency((*of_space, "parameters"), f"{name} breeds weights alone", "keep weight only")
    if space.fixed.get("normalize", space.method == "linear"):
        yield Inconsistency((*of_space, "fixed", "normalize"), f"must be false for {name}", "write normalize: false")
    if space.fixed.get("lambda", 1.0) != 1.0:
        yield Inconsistency((*of_space, "fixed", "lambda"), f"must be 1 for {name}", "remove it")
    if space.has_own_start and "weight" in space.parameters:
        text = f"has no effect: {name} starts from the sources and their equal-weight merges"
        yield Inconsistency((*of_space, "parameters", "weight", "start"), text, "remove it")


def _unknown_pool(sources: Sequence[str], known: Sequence[str], place: Place) -> Iterator[Inconsistency]:
    for index, name in enumerate(sources):
        if name not in known:
            yield _refused((*place, index), unknown_name("source or earlier stage", name, known))


def _space_problems(recipe: Recipe, space: SearchSpace, place: Place) -> Iterator[Inconsistency]:
    from evomerge_core.methods.registry import get_method  # imports torch

    try:
        method = get_method(space.method)
    except InputError as error:
        yield _refused((*place, "method"), error)
        return
    yield from _source_problems(recipe, method)
    yield from _parameter_problems(space, method, place)


def _source_problems(recipe: Recipe, method: Method) -> Iterator[Inconsistency]:
    models = [source.model for source in recipe.sources]
    if recipe.pool:
        return  # each set of its members is asked for itself
    if method.takes_base and recipe.base in models:
        text = f"this is the base itself, which {method.name} merges anyway"
        yield Inconsistency(("sources", models.index(recipe.base)), text, "remove it")
    if not method.takes_base and recipe.base not in models:
        text = f"{method.name} compares with no base: name one of the sources, which gives the tokenizer"
        yield Inconsistency(("base",), text)
    try:
        method.require_sources(len(models), has_base=True)
    except InputError as error:
        yield _refused(("sources",), error)


def _parameter_problems(space: SearchSpace, method: Method, of_space: Place) -> Iterator[Inconsistency]:
    place = (*of_space, "parameters")
    for name, limits in space.parameters.items():
        try:
            parameter = method.parameter(name)
            for value in (limits.low, limits.high):
                parameter.checked(value, method.name)
        except InputError as error:
            yield _refused((*place, name), error)
            return
        if parameter.kind is not float:
            yield Inconsistency((*place, name), "only decimal numbers can be evolved", "put it under 'fixed'")
    for name, value in space.fixed.items():
        try:
            method.parameter(name).checked(value, method.name)
        except InputError as error:
            yield _refused((*of_space, "fixed", name), error)
    if not space.parameters:
        floats = (
            ", ".join(parameter.name for parameter in method.parameters.values() if parameter.kind is float) or "none at all"
        )
        yield Inconsistency(place, "nothing is evolved", f"{method.name} has these numbers to evolve: {floats}")
    for parameter in method.parameters.values():
        if parameter.required and parameter.name not in {*space.parameters, *space.fixed}:
            yield Inconsistency(place, f"{method.name} needs {parameter.name}", "evolve it here or put it under 'fixed'")


def _ends_early(spec: TaskSpec) -> bool:
    from evomerge_core.tasks.make_task import make_task  # imports torch

    return make_task(spec).decides_early


def _taste_problems(recipe: Recipe) -> Iterator[Inconsistency]:
    if recipe.taste is None:
        return
    for key in ("pool", "stages"):
        if getattr(recipe, key):
            yield Inconsistency((key,), "can't be combined with taste", "remove one of the two")
    if recipe.budget.evaluations is None:
        text = "needs 'evaluations' with taste, whose votes are shared out among the candidates"
        yield Inconsistency(("budget",), text, "add it")
    if recipe.search.racing is not None and recipe.search.racing.enabled:
        text = "has no effect with taste: every candidate answers all of the search's items"
        yield Inconsistency(("search", "racing"), text, "remove it")
    if not recipe.tasks and "splits" in recipe.model_fields_set:
        yield Inconsistency(("splits",), "has no effect without tasks", "remove it")
    if not recipe.tasks and recipe.evaluation.confirm:
        text = "has no effect without tasks: votes are on answers in one precision"
        yield Inconsistency(("evaluation", "confirm"), text, "remove it")
    if not recipe.evaluation.agreement:
        text = "has no effect with taste: nobody has voted yet when precisions would be compared"
        yield Inconsistency(("evaluation", "agreement"), text, "remove it")


def _task_problems(recipe: Recipe) -> Iterator[Inconsistency]:
    from evomerge_core.tasks.make_task import make_task  # imports torch
    from evomerge_core.tasks.ready import READY

    for index, task in enumerate(recipe.tasks):
        if task.task is not None and task.task not in READY:
            yield _refused(("tasks", index, "task"), unknown_name("ready task", task.task, READY))
            continue
        try:
            make_task(task)
        except InputError as error:
            yield _refused(("tasks", index), error)
