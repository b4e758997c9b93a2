"""Prepares the recipe of the quickstart with pictures: the base model, the adapters' paths, pictures and items."""

from __future__ import annotations

import io
import json
import random
import tempfile
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.durable import rename
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_recipes.quickstart.base import base_folder
from evomerge_recipes.quickstart_vlm.body import EYES_FILE, shipped_eyes, write_body
from evomerge_recipes.quickstart_vlm.cards import task_cards, task_item

ITEMS = 600
ITEMS_SEED = 7
ITEMS_FILE = "items.jsonl"


def prepared_recipe(cache: Path) -> Recipe:
    """The recipe with every path absolute; base, pictures and items are made in `cache` if they are missing."""
    here = Path(str(files("evomerge_recipes.quickstart_vlm")))
    body, items = body_folder(cache / "models"), items_folder(cache) / ITEMS_FILE
    recipe = load_recipe(here / "recipe.yaml")
    sources = tuple(
        source.model_copy(update={"model": f"{body}+{(here / source.model.partition('+')[2]).resolve()}"})
        for source in recipe.sources
    )
    tasks = tuple(task.model_copy(update={"file": str(items)}) for task in recipe.tasks)
    return recipe.model_copy(update={"base": str(body), "sources": sources, "tasks": tasks})


def body_folder(cache: Path) -> Path:
    """The folder of the base with eyes; other eyes have another one."""
    made = cache / f"SmolVLM-135M-cards-{sha256(EYES_FILE.read_bytes()).hexdigest()[:8]}"
    text = base_folder(cache)
    return _made(made, lambda part: write_body(text, shipped_eyes(), part))


def items_folder(cache: Path) -> Path:
    """The folder with the task's items and their pictures; other items or pictures have another one."""
    rng = random.Random(ITEMS_SEED)
    lines, pictures = [], {}
    for number, cards in enumerate(task_cards(ITEMS, ITEMS_SEED)):
        name = f"pictures/{number:03}.bmp"
        lines.append(json.dumps({**task_item(cards, rng), "image": name}, ensure_ascii=False) + "\n")
        stored = io.BytesIO()
        cards.draw().save(stored, "BMP")  # plain bytes: an item's id is of them, and compressed ones differ with Pillow's build
        pictures[name] = stored.getvalue()
    text = "".join(lines)
    digest = sha256(b"".join((text.encode("utf-8"), *pictures.values()))).hexdigest()[:8]

    def write(part: Path) -> None:
        (part / "pictures").mkdir(parents=True)
        for name, content in pictures.items():
            (part / name).write_bytes(content)
        (part / ITEMS_FILE).write_text(text, encoding="utf-8")

    return _made(cache / f"quickstart-vlm-items-{digest}", write)


def _made(folder: Path, write: Callable[[Path], None]) -> Path:
    """The folder, written under another name first: a folder that is there is whole."""
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            part = Path(scratch) / folder.name
            write(part)
            try:
                rename(part, folder)
            except OSError:
                if not folder.is_dir():  # another process was faster
                    raise
    except OSError as error:
        problem = f"the quickstart's files can't be stored ({error.strerror})"
        raise InputError(problem, where=folder.parent, remedy="free some space there") from error
    return folder
