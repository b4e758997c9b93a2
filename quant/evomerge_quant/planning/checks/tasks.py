"""Preflight of the tasks: are there enough items, and do they fit the model."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Recipe
from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.sources.source import Source
from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.items.split import SPLITS, ItemSplits
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import TaskSpec
from evomerge_core.tasks.task import Task
from evomerge_quant.planning.check import PreflightCheck, ok, problem, refused, warning
from evomerge_quant.planning.machine.timings import question_tokens
from evomerge_quant.planning.workload import measured_prompt_tokens

_LONGEST = 8
_FEW = {"search": 16, "test": 50}


@dataclass(frozen=True)
class TaskReport:
    """The checks of all tasks, and the mean tokens of an item where they could be counted."""

    checks: tuple[PreflightCheck, ...]
    prompt_tokens: float | None


def task_report(recipe: Recipe, folder: Path, base: Source | None, giver: Source | None) -> TaskReport:
    """Draws every task's items and renders a prompt. `giver` is whose tokenizer the child takes; None for a model that can't
    be opened."""
    checks: list[PreflightCheck] = []
    tokens: list[float] = []
    tokenizer = _tokenizer(giver, checks)
    stated = None if base is None else base.config.get("max_position_embeddings")
    positions = stated if isinstance(stated, int) else None
    for spec in recipe.tasks:
        try:
            task = make_task(spec)
            items = draw_items(spec, task, recipe.splits, folder=folder, exclude=spec.exclude)
        except InputError as error:
            checks.append(refused(f"Task {spec.name}", error))
            continue
        checks.append(_enough(spec, items))
        checks += _asked(task, items, tokenizer, positions, tokens)
        checks += _scored(task)
    return TaskReport(tuple(checks), statistics.mean(tokens) if tokens else None)


def _tokenizer(giver: Source | None, checks: list[PreflightCheck]) -> Any:
    if giver is None:
        return None
    try:
        return read_tokenizer(giver.tokenizer_folder)
    except InputError as error:
        checks.append(refused("Tokenizer", error))
        return None


def _enough(spec: TaskSpec, items: ItemSplits) -> PreflightCheck:
    counts = {split: len(getattr(items, split)) for split in SPLITS}
    counted = "; ".join([", ".join(f"{count} {split}" for split, count in counts.items()) + " items", *items.notes])
    few = [f"{counts[split]} {split}" for split, least in _FEW.items() if counts[split] < least]
    if few:
        return warning(
            f"Task {spec.name}",
            f"{counted}; with {' and '.join(few)} luck plays a large part",
            "use more items: raise the sizes under splits",
        )
    return ok(f"Task {spec.name}", counted)


def _asked(task: Task, items: ItemSplits, tokenizer: Any, positions: int | None, tokens: list[float]) -> list[PreflightCheck]:
    if tokenizer is None:
        return []
    subject = "Chat template"
    try:
        tokens.append(measured_prompt_tokens(task, items.search, tokenizer))
    except InputError as error:
        return [refused(subject, error)]
    return [
        ok(subject, f"{task.name}: {'the tokenizer’s own' if task.chat else 'none, plain prompts'}"),
        *_long(task, items, tokenizer, positions),
    ]


def _long(task: Task, items: ItemSplits, tokenizer: Any, positions: int | None) -> list[PreflightCheck]:
    """Whether the longest questions and their answers fit into the model's context; by text, the longest few of all."""
    if positions is None:
        return []
    questions = [task.question(item, tokenizer) for split in (items.search, items.validation, items.test) for item in split]
    longest = sorted(questions, key=lambda question: len(question.prompt), reverse=True)[:_LONGEST]
    most = max(question_tokens(long, tokenizer) + (0 if long.choices else long.max_new_tokens) for long in longest)
    if most <= positions:
        return [ok("Length", f"{task.name}: {most:,} tokens at most, the model has {positions:,} positions")]
    line = f"{task.name}: an item and its answer may take {most:,} tokens, the model has {positions:,} positions"
    return [problem("Length", line, "lower max_new_tokens, or leave long items out")]


def _scored(task: Task) -> Sequence[PreflightCheck]:
    """The language model of the scorer is carried by a package, and was loaded when the task was made."""
    return [ok("Language", f"{task.name}: an answer counts only in {task.language!r}")] if task.language else []
