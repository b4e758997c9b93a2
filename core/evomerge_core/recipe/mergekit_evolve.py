"""Recipes out of mergekit-evolve's genome files (their format as of mergekit 0.1.5).

The search itself becomes this program's: bounded ranges, start and sigma of the `default` preset (mergekit-evolve starts
densities at 1, where a first step changes nothing), at most 100 evaluations as is its own default, items drawn by hash.
What has no counterpart is refused with its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evomerge_core.files.yaml_file import Location, YamlFile

# What mergekit-evolve takes from its command line.
_EVALUATIONS = 100
_METHODS = ("linear", "task_arithmetic", "ties", "dare_ties", "slerp")
_NORMALIZED = ("linear", "ties", "dare_ties")
_MGSM_LANGUAGES = ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")
# lm-eval's names of tasks that have a ready definition here, and its metric that takes the last number too.
_TASKS = {"gsm8k": "gsm8k", **{f"mgsm_direct_{code}": f"mgsm-{code}" for code in _MGSM_LANGUAGES}}
_METRIC = "exact_match,flexible-extract"

_TOP_KEYS = ("genome", "tasks", "limit", "num_fewshot", "shuffle", "random_init", "apply_chat_template", "fewshot_as_multiturn")
_GENOME_KEYS = (
    "models",
    "merge_method",
    "base_model",
    "tokenizer_source",
    "layer_granularity",
    "normalize",
    "allow_negative_weights",
    "filters",
    "smooth",
)
_NO_EXAMPLES = "isn't supported, as prompts have no worked examples here"


def to_recipe_data(file: YamlFile) -> YamlFile:
    """The data of the recipe that a mergekit-evolve file means, named after the file, with the genome file's lines.

    InputError when something in it can't be carried over; it isn't checked as a recipe yet.
    """
    file.require_keys((), _TOP_KEYS)
    _require_mapping(file, ("genome",))
    file.require_keys(("genome",), _GENOME_KEYS)
    _refuse_unsupported(file)
    base, sources = _models(file)
    data = {
        "evomerge": 1,
        "name": file.path.stem,
        "base": base,
        "sources": sources,
        "search_space": _search_space(file),
        "tasks": _tasks(file),
        "splits": _splits(file),
        "budget": {"evaluations": _EVALUATIONS},
    }
    return _with_lines(file, data)


def _with_lines(file: YamlFile, data: dict[str, Any]) -> YamlFile:
    """What the recipe refuses is reported at the genome file's line."""
    origins: dict[Location, Location] = {
        (): (),
        ("base",): ("genome", "base_model"),
        ("sources",): ("genome", "models"),
        ("search_space",): ("genome",),
        ("tasks",): ("tasks",),
        **{("tasks", index): ("tasks", index) for index in range(len(data["tasks"]))},
        **{("tasks", index, "weight"): ("tasks", index, "weight") for index in range(len(data["tasks"]))},
    }
    return YamlFile(file.path, file.text, data, {place: file.line(origin) for place, origin in origins.items()})


def _refuse_unsupported(file: YamlFile) -> None:
    genome: Location = ("genome",)
    if _flag(file, (*genome, "smooth"), default=False):
        raise file.key_error((*genome, "smooth"), "isn't supported", "remove it and use layer_granularity")
    if file.value((*genome, "tokenizer_source")) not in (None, "base", file.value((*genome, "base_model"))):
        raise file.key_error((*genome, "tokenizer_source"), "isn't supported", "remove it: the base's tokenizer is used")
    if _flag(file, ("random_init",), default=False):
        raise file.key_error(("random_init",), "isn't supported", "remove it: the search starts at 0.5")
    if file.value(("num_fewshot",)) not in (None, 0):
        raise file.key_error(("num_fewshot",), _NO_EXAMPLES, "remove it")
    if "fewshot_as_multiturn" in file.data:
        raise file.key_error(("fewshot_as_multiturn",), _NO_EXAMPLES, "remove it")
    if not _flag(file, ("shuffle",), default=True):
        raise file.key_error(("shuffle",), "can't be false", "remove it: items are drawn by hash here")


def _models(file: YamlFile) -> tuple[str, list[str]]:
    """The base and the sources. slerp's and linear's base is the first model when the file names none."""
    models = file.value(("genome", "models"))
    if not isinstance(models, list) or not models or not all(isinstance(model, str) for model in models):
        raise file.key_error(("genome", "models"), "must be a list of models, each a folder or owner/name")
    base = file.value(("genome", "base_model"))
    method = _method(file)
    if base is None and method not in ("linear", "slerp"):
        raise file.key_error(("genome",), f"lacks 'base_model', which {method} needs", "add it")
    if method == "slerp":
        if len(models) != 2 or base not in (None, *models):
            raise file.key_error(("genome", "models"), "must be two models for slerp, base_model one of them or absent")
        base = base or models[0]
        return base, [model for model in models if model != base]
    return base or models[0], models


def _method(file: YamlFile) -> str:
    method = file.value(("genome", "merge_method"))
    if method not in _METHODS:
        raise file.key_error(("genome", "merge_method"), f"must be one of {', '.join(_METHODS)}, not {method!r}")
    return str(method)


def _search_space(file: YamlFile) -> dict[str, Any]:
    method = _method(file)
    space: dict[str, Any] = {"method": method, "groups": _groups(file)}
    if method != "slerp":
        normalize = _flag(file, ("genome", "normalize"), default=method in _NORMALIZED)
        space["fixed"] = {"normalize": normalize}
        space["parameters"] = {"density": {}} if method in ("ties", "dare_ties") else {}
        space["parameters"]["weight"] = {"low": -1.5} if _negative(file) else {}
    elif "normalize" in file.value(("genome",)) or _negative(file):
        key = "normalize" if "normalize" in file.value(("genome",)) else "allow_negative_weights"
        raise file.key_error(("genome", key), "has no effect with slerp", "remove it")
    return space


def _negative(file: YamlFile) -> bool:
    return _flag(file, ("genome", "allow_negative_weights"), default=False)


def _groups(file: YamlFile) -> dict[str, Any]:
    size = file.value(("genome", "layer_granularity"))
    filters = file.value(("genome", "filters"))
    if size is not None and type(size) is not int:
        raise file.key_error(("genome", "layer_granularity"), f"must be a whole number of layers, not {size!r}")
    if filters is not None and (not isinstance(filters, list) or not all(isinstance(text, str) and text for text in filters)):
        raise file.key_error(("genome", "filters"), "must be a list of parts of tensors' names")
    groups: dict[str, Any] = {"band_layers": size} if size and size > 0 else {}
    return {**groups, "filters": filters} if filters else groups


def _tasks(file: YamlFile) -> list[dict[str, Any]]:
    tasks = file.value(("tasks",))
    if not isinstance(tasks, list) or not tasks:
        raise file.key_error(("tasks",), "must be a list with at least one task")
    chat = _flag(file, ("apply_chat_template",), default=True)
    return [{**_task(file, ("tasks", index)), "chat": chat} for index in range(len(tasks))]


def _task(file: YamlFile, location: Location) -> dict[str, Any]:
    entry = file.value(location)
    if isinstance(entry, str):
        return {"task": _ready_name(file, location, entry)}
    _require_mapping(file, location)
    file.require_keys(location, ("name", "weight", "metric"))
    task: dict[str, Any] = {"task": _ready_name(file, (*location, "name"), entry.get("name"))}
    if entry.get("metric", _METRIC) != _METRIC:
        raise file.key_error(
            (*location, "metric"), "isn't supported", f"use '{_METRIC}' (the last number counts), or remove it"
        )
    return {**task, "weight": entry["weight"]} if "weight" in entry else task


def _ready_name(file: YamlFile, location: Location, name: object) -> str:
    if isinstance(name, str) and name in _TASKS:
        return _TASKS[name]
    known = "gsm8k, mgsm_direct_ja and the other mgsm_direct languages"
    problem = f"the lm-eval task {name!r} has no definition here ({known} have)"
    raise file.error(location, problem, "write a recipe with a task of your own")


def _splits(file: YamlFile) -> dict[str, Any]:
    limit = file.value(("limit",))
    if limit is None:
        return {}
    if type(limit) is not int or limit < 1:
        raise file.key_error(("limit",), f"must be a whole number of items from 1, not {limit!r}")
    return {"search": limit}


def _flag(file: YamlFile, location: Location, *, default: bool) -> bool:
    value = file.value(location)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise file.key_error(location, f"must be true or false, not {value!r}")
    return value


def _require_mapping(file: YamlFile, location: Location) -> None:
    if not isinstance(file.value(location), Mapping):
        raise file.key_error(location, "must be a mapping of keys to values")
