"""A preview of a task: parsed items, and the exact prompt that the model gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source
from evomerge_core.tasks.draw_items import draw_items, read_items
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.split import split_items
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import Splits, TaskSpec
from evomerge_core.tasks.task import Task
from evomerge_quant.planning.prompts import Prompts, prompts_of
from evomerge_quant.planning.workload import measured_prompt_tokens
from evomerge_tui.widgets.thumbnail import Thumbnail, item_thumbnail

_SHOWN = 20


@dataclass(frozen=True)
class ShownItem:
    """An item: its fields, its pictures, the prompt (in the model's chat template where there is a model), and the correct
    answer; of choices, `right` is the correct one's place."""

    fields: Mapping[str, Any]
    prompt: str
    gold: str
    choices: tuple[str, ...]
    right: int | None
    pictures: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class Preview:
    """The first items. `total` counts all, None where each split has a file of its own; `tokens` is the mean prompt length
    in tokens (None without a model). `notes` say how the file was read, `problem` why prompts can't be shown as the model gets
    them, or why the splits can't be drawn."""

    items: tuple[ShownItem, ...]
    total: int | None
    tokens: float | None
    scorer: str
    language: str
    notes: tuple[str, ...]
    problem: str


def preview(spec: TaskSpec, splits: Mapping[str, Any], folder: Path, base: Source | None) -> Preview:
    """Reads a task's items and renders the first of them. Raises InputError for items that can't be read."""
    task = make_task(spec)
    items, total, notes, problem = _items(spec, task, Splits.model_validate(dict(splits)), folder)
    prompts, lacking = _prompts(base)
    try:
        tokens = None if prompts is None else measured_prompt_tokens(task, items, prompts)
    except InputError as error:
        tokens, prompts, lacking = None, None, str(error)
    return Preview(
        items=tuple(_shown(task, item, prompts) for item in items[:_SHOWN]),
        total=total,
        tokens=tokens,
        scorer=task.scorer.name,
        language=task.language,
        notes=notes,
        problem=problem or lacking,
    )


def _items(spec: TaskSpec, task: Task, sizes: Splits, folder: Path) -> tuple[Sequence[Item], int | None, tuple[str, ...], str]:
    """Search items where the splits can be drawn, else the first items and the reason; how many there are, and notes."""
    if spec.files is not None:
        drawn = draw_items(spec, task, sizes, folder=folder, exclude=spec.exclude)
        return drawn.search, None, drawn.notes, ""
    read = read_items(spec, task, folder=folder, exclude=spec.exclude)
    wanted = {"search": sizes.search, "validation": sizes.validation, "test": sizes.test}
    try:
        return split_items(read.items, **wanted, seed=sizes.seed, task=task.name).search, len(read.items), read.notes, ""
    except InputError as error:
        return read.items, len(read.items), read.notes, str(error)


def _prompts(base: Source | None) -> tuple[Prompts | None, str]:
    if base is None:
        return None, "choose a base model to see the prompt in its chat template"
    try:
        return prompts_of(base, base), ""
    except InputError as error:
        return None, str(error)


def _shown(task: Task, item: Item, prompts: Prompts | None) -> ShownItem:
    prompt = task.plain_prompt(item) if prompts is None else task.question(item, prompts.tokenizer, prompts.mark).prompt
    expected = task.expected(item)
    pictures = tuple(item_thumbnail(picture) for picture in item.pictures)
    return ShownItem(dict(item.fields), prompt, task.gold_text(item), expected.choices, expected.right, pictures)
