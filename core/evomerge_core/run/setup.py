"""Everything about a run that its recipe decides: checked before anything starts, the same each time it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from evomerge_core.errors import InputError
from evomerge_core.genome.space import Space, make_space
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.folder import require_space
from evomerge_core.merging.shards import tensor_bytes
from evomerge_core.recipe.load import dump_recipe
from evomerge_core.recipe.schema import Precision, Recipe
from evomerge_core.run.absolute_paths import with_absolute_paths
from evomerge_core.run.folder import create_folder, require_empty
from evomerge_core.sources.compatibility import require_compatible
from evomerge_core.sources.finite import require_finite
from evomerge_core.sources.source import Source, open_sources
from evomerge_core.sources.tokens import align_all
from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.exchange import Question
from evomerge_core.tasks.items import Item
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.task import Task

SPLITS = ("search", "validation", "test")


@dataclass(frozen=True)
class Asked:
    """An item of a task as the question that the model is asked."""

    task: Task
    item: Item
    question: Question


@dataclass(frozen=True)
class Setup:
    """A recipe brought to life. `parents` maps labels to references, `asked` each split to its questions."""

    recipe: Recipe
    base_folder: Path
    sources: Mapping[str, Source]
    parents: Mapping[str, str]
    space: Space
    engine: MergeEngine
    tasks: tuple[Task, ...]
    asked: Mapping[str, tuple[Asked, ...]]

    @property
    def precision(self) -> Precision:
        """The precision that the search scores in."""
        return self.recipe.evaluation.precision

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The search's precision, then those that the finalists and the test are scored in as well."""
        return (self.precision, *self.recipe.evaluation.confirm)

    @property
    def fingerprints(self) -> dict[str, dict[str, str]]:
        """The sha256 of every source file, by reference."""
        return {reference: source.fingerprints() for reference, source in self.sources.items()}

    def items(self, split: str) -> int:
        return len(self.asked[split])


def prepare(recipe: Recipe, folder: Path) -> Setup:
    """Opens and checks everything that the recipe names; `folder` is where its relative paths start.

    Raises `InputError` with the first thing that is wrong. The weights' values are not read: `create_run` does that once.
    """
    references = [recipe.base, *(source.model for source in recipe.sources)]
    opened = open_sources(references, relative_to=folder, allow_pickle=recipe.allow_pickle)
    base = opened[recipe.base]
    require_compatible(base, [opened[source.model] for source in recipe.sources])
    sources = align_all(base, opened)
    space = make_space(recipe, int(base.config["num_hidden_layers"]), base.names)
    tasks, asked = _tasks(recipe, folder, base)
    return Setup(
        recipe=recipe,
        base_folder=base.folder,
        sources=sources,
        parents={source.name: source.model for source in recipe.sources},
        space=space,
        engine=MergeEngine(sources, seed=recipe.seed, device=_device(recipe)),
        tasks=tasks,
        asked=asked,
    )


def create_run(
    recipe: Recipe,
    *,
    out: Path | None = None,
    evaluations: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
) -> Path:
    """Checks the recipe down to the last weight, and makes the run's folder with the recipe frozen in it.

    What is given replaces the recipe's own. Raises `InputError`; then there is no folder.
    """
    recipe = _overridden(recipe, evaluations, minutes, seed)
    folder = out or recipe.folder / (recipe.output or f"runs/{recipe.name}")
    require_empty(folder)
    frozen = with_absolute_paths(recipe)
    setup = prepare(frozen, folder)
    for source in setup.sources.values():
        require_finite(source)
    base = setup.sources[frozen.base]
    require_space(folder, tensor_bytes({name: base.shape(name) for name in base.names}, torch.bfloat16))
    create_folder(folder, dump_recipe(frozen), setup.fingerprints)
    return folder


def _overridden(recipe: Recipe, evaluations: int | None, minutes: float | None, seed: int | None) -> Recipe:
    for name, value in (("evaluations", evaluations), ("minutes", minutes)):
        if value is not None and value <= 0:
            raise InputError(f"--{name} {value:g}: must be above 0")
    if seed is not None and seed < 0:
        raise InputError(f"--seed {seed}: must be 0 or more")
    limits = {"evaluations": evaluations, "minutes": minutes}
    budget = recipe.budget.model_copy(update={k: v for k, v in limits.items() if v is not None})
    return recipe.model_copy(update={"budget": budget, "seed": recipe.seed if seed is None else seed})


def _device(recipe: Recipe) -> torch.device:
    """Merging happens where scoring does."""
    wanted = recipe.evaluation.device
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _tasks(recipe: Recipe, folder: Path, base: Source) -> tuple[tuple[Task, ...], dict[str, tuple[Asked, ...]]]:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base.tokenizer_folder)
    tasks = []
    asked: dict[str, tuple[Asked, ...]] = dict.fromkeys(SPLITS, ())
    for spec in recipe.tasks:
        task = make_task(spec)
        items = draw_items(spec, task, recipe.splits, folder=folder, exclude=spec.exclude)
        tasks.append(task)
        for split in SPLITS:
            asked[split] += tuple(Asked(task, item, task.question(item, tokenizer)) for item in getattr(items, split))
    return tuple(tasks), asked
