"""A run's recipe, models and items as they were when it began; what has changed since is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evomerge_core.files.yaml_file import Location, key_name, parse_yaml, read_yaml
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.validate import to_recipe
from evomerge_core.run.run_folder.fingerprints import check_unchanged
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.setup import Setup, prepare
from evomerge_core.run.store.facts import RunFacts
from evomerge_core.tasks.item_hashes import item_hashes, require_same_items

_SHOWN = 60  # characters of a value in a message
_ABSENT = object()


def reopen(folder: Path, facts: RunFacts, *, asks: bool = False) -> Setup:
    """A run's setup, from its frozen recipe; `asks`: to go on asking its items.

    Raises `InputError` for a recipe, a source or, where it asks them, items that aren't what the run began with.
    """
    recipe = frozen_recipe(folder, facts)
    for task in recipe.tasks if asks else ():
        if task.name in facts.item_hashes:
            # before they are drawn: what they lack now would be said first
            require_same_items(task, facts.item_hashes[task.name], item_hashes(task, folder=folder))
    chosen = with_chosen_sources(recipe, facts)
    setup = prepare(chosen, folder)
    for task in recipe.tasks if asks else ():
        if task.name in facts.item_hashes:
            # and those that were drawn: a file can change between two looks at it
            require_same_items(task, facts.item_hashes[task.name], setup.item_hashes[task.name])
    unused = {source.model for source in recipe.sources} - {source.model for source in chosen.sources}
    check_unchanged(folder, setup.fingerprints, added=facts.frozen_recipe is not None, unused=unused)
    return setup


def with_chosen_sources(recipe: Recipe, facts: RunFacts) -> Recipe:
    """The recipe with the sources that were chosen of its pool, and the budget that choosing them has left; the same recipe
    before that, and without a pool."""
    if facts.pool is None:
        return recipe
    taken = {member["name"] for member in facts.pool["members"] if member["taken"]}
    budget = recipe.budget
    if budget.evaluations is not None:
        left = max(budget.evaluations - facts.pool["evaluations"], (budget.evaluations + 1) // 2)
        budget = budget.model_copy(update={"evaluations": left})
    return recipe.model_copy(update={"sources": tuple(s for s in recipe.pool if s.name in taken), "budget": budget})


def frozen_recipe(folder: Path, facts: RunFacts) -> Recipe:
    """The recipe in a run's folder. Raises `InputError` that names the first key that somebody has changed."""
    file = read_yaml(folder / RECIPE)
    recipe = to_recipe(file)
    if facts.frozen_recipe is None:
        return recipe  # of an earlier version
    began = to_recipe(parse_yaml(facts.frozen_recipe, folder / RECIPE))
    found = _first_difference(_data(began), _data(recipe))
    if found is not None:
        location, before, now = found
        problem = f"key '{key_name(location)}' was changed after the run began, from {_shown(before)} to {_shown(now)}"
        raise file.error(location, problem, "set it back, or start a new run")
    return recipe


def _data(recipe: Recipe) -> Any:
    return recipe.model_dump(mode="json", exclude_none=True)


def _first_difference(began: Any, now: Any, location: Location = ()) -> tuple[Location, Any, Any] | None:
    """Where two recipes differ first, and what either has there."""
    if isinstance(began, Mapping) and isinstance(now, Mapping):
        parts: list[tuple[str | int, Any, Any]] = [
            (key, began.get(key, _ABSENT), now.get(key, _ABSENT)) for key in {**began, **now}
        ]
    elif isinstance(began, list) and isinstance(now, list) and len(began) == len(now):
        parts = [(index, *pair) for index, pair in enumerate(zip(began, now, strict=True))]
    else:
        return None if began == now else (location, began, now)
    found = (_first_difference(before, after, (*location, part)) for part, before, after in parts)
    return next((difference for difference in found if difference is not None), None)


def _shown(value: Any) -> str:
    text = "nothing" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
