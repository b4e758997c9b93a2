"""From a file's data to a recipe, and from pydantic's errors to one line that a user can act on."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from evomerge_core.errors import InputError, nearest_name
from evomerge_core.files.yaml_file import Location, YamlFile, key_name, unknown_key
from evomerge_core.recipe.consistency import find_inconsistency
from evomerge_core.recipe.schema import Recipe


def to_recipe(file: YamlFile) -> Recipe:
    """The recipe; InputError with the first problem and its line."""
    recipe = to_frozen_recipe(file)
    problem = find_inconsistency(recipe)
    if problem is not None:
        raise file.error(problem.location, f"key '{key_name(problem.location)}': {problem.text}", problem.remedy)
    return recipe


def to_frozen_recipe(file: YamlFile) -> Recipe:
    """The recipe of a run, whose parts were found to go together when it began: finding that out loads torch. InputError for
    what is no recipe any more, as `to_recipe`."""
    try:
        return Recipe.model_validate(file.data, context={"folder": file.path.parent})
    except ValidationError as error:
        raise _first_problem(file, error) from error


def _first_problem(file: YamlFile, error: ValidationError) -> InputError:
    """The first problem by line; a missing key comes last, since a misspelt one is often its cause."""
    problems = error.errors(include_url=False)
    # A list whose items are wrong is also reported as too short; the item's own problem says more.
    parents = {_location(problem)[:end] for problem in problems for end in range(len(_location(problem)))}
    first = min(
        (problem for problem in problems if _location(problem) not in parents),
        key=lambda problem: (problem["type"] == "missing", file.line(_location(problem)), problem["type"]),
    )
    return file.error(_location(first), *_message(file, first))


def _location(problem: ErrorDetails) -> Location:
    location = problem["loc"]
    key = problem.get("ctx", {}).get("key")
    return (*location, key) if key else location


def _message(file: YamlFile, problem: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and the remedy."""
    kind, location = problem["type"], _location(problem)
    name = key_name(location)
    if kind == "extra_forbidden":
        return unknown_key(location, _known_keys(location[:-1]))
    if kind == "missing":
        return f"key '{name}' is missing", "add it"
    if location not in file.lines:
        location = _known_part(file, location)
        name = key_name(location)
    subject = f"key '{name}'" if name else "the recipe"
    rule, remedy = _rule(problem)
    return f"{subject} {rule}", remedy


def _known_part(file: YamlFile, location: Location) -> Location:
    while location and location not in file.lines:
        location = location[:-1]
    return location


def _rule(problem: ErrorDetails) -> tuple[str, str]:
    kind, context, value = problem["type"], problem.get("ctx", {}), problem["input"]
    if kind == "rule":
        return str(context["problem"]), str(context["remedy"])
    if kind in _BOUNDS:
        word, bound = _BOUNDS[kind]
        return f"must be {word} {context[bound]:g}, not {value!r}", ""
    if kind == "literal_error":
        return f"must be {context['expected'].replace(chr(39), '')}, not {value!r}", _near(value, _words(problem["loc"]))
    if kind in ("too_short", "string_too_short"):
        return "must not be empty", ""
    if kind == "too_long":
        return f"has {len(value):,} entries, where at most {context['max_length']} are taken", "give fewer"
    if kind in _KINDS:
        quotes = " (write it in quotes)" if kind == "string_type" and isinstance(value, bool | int | float) else ""
        return f"must be {_KINDS[kind]}, not {_shown(value)}{quotes}", ""
    return f"is not right: {problem['msg']}", ""


_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_KINDS = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return repr(value)


def _near(value: object, words: Iterable[str]) -> str:
    near = nearest_name(str(value), words)
    return "" if near is None else f"did you mean {near!r}?"


def _words(location: Location) -> list[str]:
    """The words that the schema allows at a place."""
    return list(_literals(_annotation(location)))


def _literals(annotation: Any) -> Iterator[str]:
    if typing.get_origin(annotation) is typing.Literal:
        yield from (word for word in typing.get_args(annotation) if isinstance(word, str))
    else:
        for argument in typing.get_args(annotation):
            yield from _literals(argument)


def _known_keys(location: Location) -> list[str]:
    """The keys that the schema has at a place."""
    model = _model(_annotation(location))
    return list(model.model_fields) if model else []


def _annotation(location: Location) -> Any:
    """The type that the schema has at a place."""
    annotation: Any = Recipe
    for part in location:
        annotation = _inside(annotation, part)
    return annotation


def _inside(here: Any, part: str | int) -> Any:
    model = _model(here)
    if model is not None:
        field = model.model_fields.get(str(part))
        return field.annotation if field else None
    arguments = typing.get_args(here)
    if typing.get_origin(here) in (typing.Union, types.UnionType):
        return next((found for argument in arguments if (found := _inside(argument, part)) is not None), None)
    return arguments[0 if isinstance(part, int) else -1] if arguments else None


def _model(here: Any) -> type[BaseModel] | None:
    for kind in (here, *typing.get_args(here)):
        if isinstance(kind, type) and not typing.get_args(kind) and issubclass(kind, BaseModel):
            return kind if kind is here or typing.get_origin(here) in (typing.Union, types.UnionType) else None
    return None
