"""The recipes that come with evomerge-tui."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from evomerge_core.errors import unknown_name
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe

FOLDER = "ready"
QUICKSTART = "quickstart"
QUICKSTART_VLM = "quickstart_vlm"


@dataclass(frozen=True)
class ReadyRecipe:
    """What its key `about` says: `memory` is that of the graphics card in GB that it is made for, 0 for a CPU.

    `is_quickstart`: it needs the adapters and items of a quickstart.
    """

    name: str
    path: Path
    title: str
    summary: str
    memory: int
    notes: tuple[str, ...]

    @property
    def is_quickstart(self) -> bool:
        return self.path.parent.name in (QUICKSTART, QUICKSTART_VLM)


def ready_recipes() -> tuple[ReadyRecipe, ...]:
    """All of them, smallest machine first."""
    here = Path(str(files("evomerge_recipes")))
    found = [_read(path) for folder in (QUICKSTART, QUICKSTART_VLM, FOLDER) for path in (here / folder).glob("*.yaml")]
    return tuple(sorted(found, key=lambda recipe: (not recipe.is_quickstart, recipe.memory, recipe.name)))


def ready_recipe(name: str) -> ReadyRecipe:
    """The recipe of that name. Raises InputError with the nearest name."""
    known = {recipe.name: recipe for recipe in ready_recipes()}
    if name not in known:
        raise unknown_name("ready recipe", name, known)
    return known[name]


def load_ready(ready: ReadyRecipe, cache: Path) -> Recipe:
    """The recipe, ready to run; what the quickstart needs beside it is made in `cache`."""
    if ready.path.parent.name == QUICKSTART_VLM:
        from evomerge_recipes.quickstart_vlm import prepare

        return prepare.prepared_recipe(cache)
    if ready.is_quickstart:
        from evomerge_recipes.quickstart.prepare import prepared_recipe

        return prepared_recipe(cache, ready.path.name)
    return load_recipe(ready.path)


def _read(path: Path) -> ReadyRecipe:
    data = read_yaml(path).data
    about = data["about"]
    return ReadyRecipe(
        name=data["name"],
        path=path,
        title=about["title"],
        summary=about["summary"],
        memory=about["memory"],
        notes=tuple(about["notes"]),
    )
