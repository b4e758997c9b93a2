"""A recipe whose local paths are absolute, so that the copy in the run's folder means the same files."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.pool.expand import distinct_names, expand
from evomerge_core.recipe.schema import MOST_SOURCES, Recipe, SourceSpec, last_part
from evomerge_core.recipe.taste import with_prompts
from evomerge_core.recipe.tokenizer_source import tokenizer_name
from evomerge_core.sources.confinement import absolute_path, absolute_reference
from evomerge_core.tasks.spec import SplitFiles, TaskSpec


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """Relative paths start at the recipe's folder and must stay inside it: a recipe that somebody shares can't reach for
    files elsewhere. Raises `InputError` naming the path."""
    folder = recipe.folder
    base = absolute_reference(recipe.base, folder)
    sources = tuple(
        s.model_copy(update={"model": absolute_reference(s.model, folder)}) for s in recipe.sources if not recipe.pool
    )
    pool = _members(recipe, base)
    return recipe.model_copy(
        update={
            "base": base,
            "sources": pool or sources,
            "pool": pool,
            "tokenizer_source": tokenizer_name(recipe),
            "tasks": tuple(_task(task, folder) for task in recipe.tasks),
            "taste": None if recipe.taste is None else with_prompts(recipe.taste, folder),
            "output": None,
            "about": None,
        }
    )


def _members(recipe: Recipe, base: str) -> tuple[SourceSpec, ...]:
    """The single models that the pool's entries name; a name that somebody gave to one of them stays."""
    found = expand([entry.model for entry in recipe.pool], base=base, folder=recipe.folder)
    if len(found) > MOST_SOURCES:
        problem = f"names {len(found):,} models, where at most {MOST_SOURCES} are taken"
        raise InputError(problem, where="pool", remedy="name fewer")
    given = {entry.model: entry.name for entry in recipe.pool if entry.name != last_part(entry.model)}
    own = {_one(entry, base, recipe): name for entry, name in given.items()}
    names = [own.get(model, name) for model, name in zip(found, distinct_names(found), strict=True)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        first, second, *_ = [model for model, name in zip(found, names, strict=True) if name == twice]
        raise InputError(f"{first} and {second} would both be called {twice!r}", where="pool", remedy="give one another name")
    return tuple(SourceSpec(model=model, name=name) for model, name in zip(found, names, strict=True))


def _one(entry: str, base: str, recipe: Recipe) -> str:
    found = expand([entry], base=base, folder=recipe.folder)
    if len(found) > 1:
        problem = f"has a name, but stands for {len(found)} models"
        raise InputError(problem, where=f"pool: {entry}", remedy="remove the name, or name one model")
    return found[0]


def _task(task: TaskSpec, folder: Path) -> TaskSpec:
    changed: dict[str, object] = {
        key: str(absolute_path(path, folder)) for key in ("file", "exclude") if (path := getattr(task, key)) is not None
    }
    if task.files is not None:
        of_split = task.files.model_dump()
        changed["files"] = SplitFiles(**{split: str(absolute_path(path, folder)) for split, path in of_split.items()})
    return task.model_copy(update=changed)
