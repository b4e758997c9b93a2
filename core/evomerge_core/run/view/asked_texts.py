"""What a run's items ask and expect, read again from its recipe: the store keeps answers, not questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.recipe.validate import to_frozen_recipe
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.items.pictures import ItemPicture
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.scorers.scorer import Expected
from evomerge_core.tasks.taste import TASTE, taste_items

AskedTexts = Mapping[tuple[str, str], "AskedText"]


@dataclass(frozen=True)
class AskedText:
    """An item's prompt before any chat template, the correct answers (of choices, the correct one's text), and the pictures
    that it shows."""

    prompt: str
    expected: tuple[str, ...]
    pictures: tuple[ItemPicture, ...] = ()


def read_asked_texts(folder: Path) -> AskedTexts:
    """By task and item id. Raises `InputError` when the items can't be read any more. Loads no model and no torch."""
    recipe = to_frozen_recipe(read_yaml(folder / RECIPE))
    texts: dict[tuple[str, str], AskedText] = {}
    for spec in recipe.tasks:
        task = make_task(spec)
        items = draw_items(spec, task, recipe.splits, folder=folder, exclude=spec.exclude)
        for item in (*items.search, *items.validation, *items.test):
            texts[task.name, item.id] = AskedText(task.plain_prompt(item), _correct(task.expected(item)), item.pictures)
    for item in () if recipe.taste is None else taste_items(recipe.taste.prompts):
        texts[TASTE, item.id] = AskedText(item.texts("prompt")[0], ())
    return texts


def _correct(expected: Expected) -> tuple[str, ...]:
    return expected.references if expected.right is None else (expected.choices[expected.right],)
