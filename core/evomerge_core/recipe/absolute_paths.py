"""A recipe whose local paths are absolute, so that the copy in the run's folder means the same files."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.tokenizer_source import tokenizer_name
from evomerge_core.sources.confinement import absolute_path, absolute_reference
from evomerge_core.tasks.spec import SplitFiles, TaskSpec


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """Relative paths start at the recipe's folder and must stay inside it: a recipe that somebody shares can't reach for
    files elsewhere. Raises `InputError` naming the path."""
    folder = recipe.folder
    sources = tuple(s.model_copy(update={"model": absolute_reference(s.model, folder)}) for s in recipe.sources)
    return recipe.model_copy(
        update={
            "base": absolute_reference(recipe.base, folder),
            "sources": sources,
            "tokenizer_source": tokenizer_name(recipe),
            "tasks": tuple(_task(task, folder) for task in recipe.tasks),
            "output": None,
            "about": None,
        }
    )


def _task(task: TaskSpec, folder: Path) -> TaskSpec:
    changed: dict[str, object] = {
        key: str(absolute_path(path, folder)) for key in ("file", "exclude") if (path := getattr(task, key)) is not None
    }
    if task.files is not None:
        of_split = task.files.model_dump()
        changed["files"] = SplitFiles(**{split: str(absolute_path(path, folder)) for split, path in of_split.items()})
    return task.model_copy(update=changed)
