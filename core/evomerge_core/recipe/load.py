"""Recipes from and to YAML files."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.errors import nearest_name
from evomerge_core.files.yaml_file import YamlFile, dump_yaml, read_yaml
from evomerge_core.recipe.mergekit_evolve import to_recipe_data
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.validate import to_recipe


def load_recipe(path: Path) -> Recipe:
    """The recipe in a file, which may also be one of mergekit-evolve; InputError in one line when it is not right."""
    file = read_yaml(path)
    if "genome" in file.data and "evomerge" not in file.data:
        return to_recipe(to_recipe_data(file))
    _require_format(file)
    return to_recipe(file)


def dump_recipe(recipe: Recipe) -> str:
    """YAML that reads back to an equal recipe; what the preset filled in is written out."""
    return dump_yaml(recipe.model_dump(mode="json", exclude_none=True))


def _require_format(file: YamlFile) -> None:
    if "evomerge" in file.data:
        if next(iter(file.data)) != "evomerge":
            raise file.error(("evomerge",), "key 'evomerge' must be the first key", "move it to the top")
        return
    if "merge_method" in file.data:
        raise file.error((), "this is a mergekit configuration, not a recipe", "merge it with 'evomerge-tui merge'")
    near = nearest_name("evomerge", file.data)
    misspelt = "" if near is None else f" ({near!r} may be a misspelling of it)"
    raise file.error((), f"key 'evomerge' is missing{misspelt}", "start the file with 'evomerge: 1'")
