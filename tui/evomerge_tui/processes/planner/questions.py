"""What the screens ask the planner; every answer is plain data for JSON."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from evomerge_core.discovery.fit import full_fit
from evomerge_core.discovery.folders import find_in_folders
from evomerge_core.discovery.found import FoundModel, describe, is_model_folder
from evomerge_core.discovery.headers import cached, look_at, open_headers, parts_away
from evomerge_core.discovery.hub_cache import find_in_cache
from evomerge_core.discovery.hub_search import search_hub
from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import dump_yaml, parse_yaml
from evomerge_core.methods.method import Method
from evomerge_core.recipe.absolute_paths import with_absolute_paths
from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.validate import to_recipe
from evomerge_core.sources.resolve import hub_id
from evomerge_core.sources.source import Source
from evomerge_core.tasks.spec import TaskSpec
from evomerge_quant.planning.estimate import estimate
from evomerge_quant.planning.machine.capacity import Capacity, Device, measure_capacity
from evomerge_quant.planning.machine.room import lack_of_room
from evomerge_quant.planning.machine.timings import read_timings
from evomerge_quant.planning.plan import plan_of
from evomerge_quant.planning.preflight import preflight
from evomerge_recipes.catalogue import load_ready, ready_recipes
from evomerge_tui.processes.planner.own_file import suggest_task
from evomerge_tui.processes.planner.preview import preview
from evomerge_tui.user.user_paths import cache_folder, timings_path

_NAME = "the recipe"


def _models(folders: Sequence[str]) -> list[dict[str, Any]]:
    """What lies in folders and in the hub's cache."""
    return [_shown(found) for found in (*find_in_folders(map(Path, folders)), *find_in_cache())]


def _named(references: Sequence[str], folder: str) -> list[dict[str, Any]]:
    """Models and adapters by their references in a recipe, described as far as they are on this machine."""
    found = []
    for reference in references:
        path = Path(folder) / Path(reference).expanduser()
        hub = hub_id(reference, path)
        place = path if hub is None else cached(*hub)
        if place is not None and is_model_folder(place):
            found.append(describe(place, reference, "folder" if hub is None else "cache"))
        elif hub is None:
            found.append(FoundModel(reference, "model", "folder", problem=f"{reference}: no such model folder; check the path"))
        else:
            found.append(FoundModel(reference, "model", "hub"))
    return [_shown(model) for model in found]


def _search(text: str) -> list[dict[str, Any]]:
    return [_shown(found) for found in search_hub(text)]


def _fit(reference: str, base: str, folder: str) -> dict[str, Any]:
    opened = _opened((base,), folder)[base]
    return dataclasses.asdict(full_fit(reference, opened, relative_to=Path(folder)))


def _open(path: str) -> dict[str, Any]:
    """A recipe file's keys, with what its preset fills in; `folder` is where its relative paths start."""
    ready = next((recipe for recipe in ready_recipes() if recipe.path == Path(path)), None)
    # what a ready recipe says about itself needn't hold for the recipe that is made from it
    recipe = load_recipe(Path(path)) if ready is None else load_ready(ready, cache_folder()).model_copy(update={"about": None})
    return {"data": parse_yaml(dump_recipe(recipe), Path(path)).data, "is_ready": ready is not None}


def _check(data: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The recipe as it would be written, and its keys with what the preset fills in; raises InputError for what is wrong."""
    text = dump_recipe(_recipe(data, folder))
    return {"yaml": text, "data": parse_yaml(text, Path(_NAME)).data}


def _written(data: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The recipe's text; an incomplete recipe is written as it is."""
    try:
        return {"yaml": dump_recipe(_recipe(data, folder))}
    except InputError:
        return {"yaml": dump_yaml(dict(data))}


def _suggest(path: str) -> dict[str, Any]:
    return suggest_task(Path(path).expanduser())


def _estimate(data: Mapping[str, Any], folder: str, prompt_tokens: float | None = None) -> dict[str, Any]:
    recipe = _recipe(data, folder)
    recipe = with_absolute_paths(recipe) if recipe.pool else recipe
    references = tuple(dict.fromkeys([recipe.base, *(source.model for source in recipe.sources)]))
    looked = look_at(references, relative_to=Path(folder), allow_pickle=recipe.allow_pickle)
    capacity, timings = _capacity(recipe.evaluation.device), read_timings(timings_path())
    found = estimate(recipe, plan_of(recipe, looked), capacity, timings, prompt_tokens)
    away = sorted({part for source in looked.opened.values() for part in parts_away(source, Path(folder))} | set(looked.unseen))
    return {**dataclasses.asdict(found), "free": capacity.free, "device": capacity.device, "away": away}


def _preflight(data: Mapping[str, Any], folder: str, out: str) -> dict[str, Any]:
    report = preflight(_recipe(data, folder), timings=read_timings(timings_path()), out=Path(out))
    return {**dataclasses.asdict(report), "ready": report.ready}


def _preview(task: Mapping[str, Any], splits: Mapping[str, Any], folder: str, base: str | None) -> dict[str, Any]:
    spec = _task(task)
    return dataclasses.asdict(preview(spec, splits, Path(folder), _base(base, folder)))


def _machine(device: Device = "auto") -> dict[str, Any]:
    return dataclasses.asdict(_capacity(device))


def _methods() -> dict[str, str]:
    """The merge methods that a search can use, each with a one-line description."""
    from evomerge_core.methods.registry import get_method, method_names

    methods = [get_method(name) for name in method_names()]
    return {
        method.name: _summary(method)
        for method in methods
        if any(parameter.kind is float for parameter in method.parameters.values())
    }


def _summary(method: Method) -> str:
    """The first line of the docstring of a method's file."""
    return (inspect.getmodule(method.function).__doc__ or "").strip().partition("\n")[0]


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "models": _models,
    "named": _named,
    "search": _search,
    "fit": _fit,
    "open": _open,
    "check": _check,
    "written": _written,
    "estimate": _estimate,
    "preflight": _preflight,
    "preview": _preview,
    "suggest": _suggest,
    "machine": _machine,
    "methods": _methods,
}


def _shown(found: FoundModel) -> dict[str, Any]:
    """A found model, and whether this machine has room for it."""
    lack = "" if found.parameters is None or found.kind == "adapter" else lack_of_room(found.parameters, _capacity("auto"))
    return {**dataclasses.asdict(found), "lack": lack}


@lru_cache(maxsize=4)
def _capacity(device: Device) -> Capacity:
    """Measured once: successive estimates must differ by what was typed, not by what else is running."""
    return measure_capacity(device)


def _recipe(data: Mapping[str, Any], folder: str) -> Recipe:
    path = Path(folder) / _NAME
    file = parse_yaml(dump_yaml(dict(data)), path)
    try:
        return to_recipe(file)
    except InputError as error:
        # the lines of a file that isn't written yet say nothing
        raise InputError(error.problem, remedy=error.remedy) from None


def _task(task: Mapping[str, Any]) -> TaskSpec:
    from pydantic import ValidationError

    try:
        return TaskSpec.model_validate(dict(task))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        rule = first.get("ctx", {})
        place = ".".join(map(str, first["loc"]))
        where = f"task: {place}" if place else "task"
        raise InputError(rule.get("problem", first["msg"]), where=where, remedy=rule.get("remedy", "")) from None


def _opened(references: tuple[str, ...], folder: str, allow_pickle: bool = False) -> dict[str, Source]:
    return open_headers(references, relative_to=Path(folder), allow_pickle=allow_pickle)


def _base(reference: str | None, folder: str) -> Source | None:
    if not reference:
        return None
    try:
        return _opened((reference,), folder)[reference]
    except InputError:
        return None
