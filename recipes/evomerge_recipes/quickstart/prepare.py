"""Prepares the quickstart's recipe: the base model, the adapters' paths, and the task's items."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from evomerge_core.files.durable import write_whole
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_recipes.quickstart.arithmetic import task_items
from evomerge_recipes.quickstart.base import base_folder

ITEMS = 2000
ITEMS_SEED = 7


def prepared_recipe(cache: Path, file: str = "recipe.yaml") -> Recipe:
    """The quickstart's recipe with every path absolute; the base and the items are made in `cache` if they are missing.

    `file` is one of its variants: `dfs.yaml` (paths) or `ps_dfs.yaml` (weights, then paths).
    """
    here = Path(str(files("evomerge_recipes.quickstart")))
    base = base_folder(cache / "models")
    items = cache / "quickstart-items.jsonl"
    lines = [json.dumps(item, ensure_ascii=False) for item in task_items(ITEMS, ITEMS_SEED)]
    write_whole(items, "\n".join(lines) + "\n")
    recipe = load_recipe(here / file)
    sources = tuple(
        source.model_copy(update={"model": f"{base}+{here / source.model.partition('+./')[2]}"}) for source in recipe.sources
    )
    tasks = tuple(task.model_copy(update={"file": str(items)}) for task in recipe.tasks)
    return recipe.model_copy(update={"base": str(base), "sources": sources, "tasks": tasks})
