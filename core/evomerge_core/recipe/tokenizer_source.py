"""Which of a recipe's models gives the child its tokenizer."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.errors import InputError, unknown_name
from evomerge_core.recipe.schema import Recipe
from evomerge_core.sources.confinement import absolute_reference

BASE = "base"


def chosen_tokenizer(recipe: Recipe) -> str | None:
    """The reference of the model that `tokenizer_source` means; None where the recipe leaves it to the base.

    Raises InputError for a word that is none of the models.
    """
    name = tokenizer_name(recipe)
    models = {BASE: recipe.base, **{source.name: source.model for source in recipe.sources if source.name != BASE}}
    return None if name is None else models[name]


def tokenizer_name(recipe: Recipe) -> str | None:
    """`base`, or the name of the source that `tokenizer_source` means; else as `chosen_tokenizer`."""
    wanted, names = recipe.tokenizer_source, [source.name for source in recipe.sources]
    if wanted is None or wanted == BASE or wanted in names:
        return wanted
    for name, reference in ((BASE, recipe.base), *((source.name, source.model) for source in recipe.sources)):
        if wanted == reference or _absolute(wanted, recipe.folder) == _absolute(reference, recipe.folder):
            return name
    raise unknown_name("model", wanted, [BASE, *names])


def _absolute(reference: str, folder: Path) -> str:
    try:
        return absolute_reference(reference, folder)
    except InputError:
        return reference
