"""Rules of a recipe that need to know the merge methods and tasks: nothing in it may be without effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evomerge_core.errors import InputError
from evomerge_core.nearest_name import unknown_name
from evomerge_core.recipe.schema import Recipe, SearchSpace

if TYPE_CHECKING:
    from evomerge_core.methods.method import Method


@dataclass(frozen=True)
class Problem:
    """What is wrong, and at which key."""

    location: tuple[str | int, ...]
    text: str


def find_inconsistency(recipe: Recipe) -> Problem | None:
    """The first thing in a recipe that its merge method or a task has no use for, or lacks; None when all is well."""
    return next(_problems(recipe), None)


def _problems(recipe: Recipe) -> Iterator[Problem]:
    from evomerge_core.methods.registry import get_method  # imports torch

    try:
        method = get_method(recipe.search_space.method)
    except InputError as error:
        yield Problem(("search_space", "method"), str(error))
        return
    yield from _source_problems(recipe, method)
    yield from _parameter_problems(recipe.search_space, method)
    yield from _task_problems(recipe)


def _source_problems(recipe: Recipe, method: Method) -> Iterator[Problem]:
    models = [source.model for source in recipe.sources]
    if method.takes_base and recipe.base in models:
        text = f"this is the base itself, which {method.name} merges anyway; remove it"
        yield Problem(("sources", models.index(recipe.base)), text)
    if not method.takes_base and recipe.base not in models:
        yield Problem(("base",), f"{method.name} compares with no base: name one of the sources, which gives the tokenizer")
    try:
        method.require_sources(len(models), has_base=True)
    except InputError as error:
        yield Problem(("sources",), str(error))


def _parameter_problems(space: SearchSpace, method: Method) -> Iterator[Problem]:
    place = ("search_space", "parameters")
    for name, limits in space.parameters.items():
        try:
            parameter = method.parameter(name)
            for value in (limits.low, limits.high):
                parameter.checked(value, method.name)
        except InputError as error:
            yield Problem((*place, name), str(error))
            return
        if parameter.kind is not float:
            yield Problem((*place, name), "only decimal numbers can be evolved; put it under 'fixed'")
    for name, value in space.fixed.items():
        try:
            method.parameter(name).checked(value, method.name)
        except InputError as error:
            yield Problem(("search_space", "fixed", name), str(error))
    if not space.parameters:
        floats = ", ".join(one.name for one in method.parameters.values() if one.kind is float) or "none at all"
        text = f"nothing is evolved; {method.name} has these numbers to evolve: {floats}"
        yield Problem(place, text)
    for parameter in method.parameters.values():
        if parameter.required and parameter.name not in {*space.parameters, *space.fixed}:
            yield Problem(place, f"{method.name} needs {parameter.name}; evolve it here or put it under 'fixed'")


def _task_problems(recipe: Recipe) -> Iterator[Problem]:
    from evomerge_core.tasks.make_task import make_task  # imports torch
    from evomerge_core.tasks.ready import READY

    for index, task in enumerate(recipe.tasks):
        if task.task is not None and task.task not in READY:
            yield Problem(("tasks", index, "task"), unknown_name("ready task", task.task, READY))
            continue
        try:
            make_task(task)
        except InputError as error:
            yield Problem(("tasks", index), str(error))
