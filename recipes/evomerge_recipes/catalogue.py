"""The recipes that come with evomerge-tui."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from itertools import takewhile
from pathlib import Path

from evomerge_core.errors import unknown_name
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe

FOLDER = "ready"
QUICKSTART = "quickstart"


@dataclass(frozen=True)
class ReadyRecipe:
    """`memory` is the graphics card's in GB that it is made for, 0 for a CPU. `title`, `summary` and what follows are the
    lines of the comment at the head of its file. `is_quickstart`: it needs the adapters and items of the quickstart.
    """

    name: str
    path: Path
    title: str
    summary: str
    memory: int
    notes: tuple[str, ...]

    @property
    def is_quickstart(self) -> bool:
        return self.path.parent.name == QUICKSTART


def ready_recipes() -> tuple[ReadyRecipe, ...]:
    """All of them, smallest machine first."""
    here = Path(str(files("evomerge_recipes")))
    found = [_read(path) for folder in (QUICKSTART, FOLDER) for path in (here / folder).glob("*.yaml")]
    return tuple(sorted(found, key=lambda recipe: (not recipe.is_quickstart, recipe.memory, recipe.name)))


def ready_recipe(name: str) -> ReadyRecipe:
    """The recipe of that name. Raises InputError with the nearest name."""
    known = {recipe.name: recipe for recipe in ready_recipes()}
    if name not in known:
        raise unknown_name("ready recipe", name, known)
    return known[name]


def load_ready(ready: ReadyRecipe, cache: Path) -> Recipe:
    """The recipe, ready to run; what the quickstart needs beside it is made in `cache`."""
    if ready.is_quickstart:
        from evomerge_recipes.quickstart.prepare import prepared_recipe

        return prepared_recipe(cache, ready.path.name)
    return load_recipe(ready.path)


def _read(path: Path) -> ReadyRecipe:
    file = read_yaml(path)
    lines = [line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), file.text.splitlines())]
    memory = next((found for line in lines if (found := re.match(r"Memory: (\d+) GB", line))), None)
    return ReadyRecipe(
        name=str(file.data["name"]),
        path=path,
        title=lines[0],
        summary=lines[1],
        memory=int(memory[1]) if memory else 0,
        notes=tuple(lines[2:]),
    )
