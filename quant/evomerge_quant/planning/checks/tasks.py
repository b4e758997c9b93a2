"""Preflight of the tasks: are there enough items, and do they fit the model."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.taste import Taste
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.source import Source
from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.evaluator import Question
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.pictures import ItemPicture, require_whole
from evomerge_core.tasks.items.split import SPLITS, ItemSplits
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import TaskSpec
from evomerge_core.tasks.task import Task
from evomerge_core.tasks.taste import taste_items, taste_task
from evomerge_quant.planning.check import PreflightCheck, ok, problem, refused, warning
from evomerge_quant.planning.machine.timings import question_tokens
from evomerge_quant.planning.prompts import Prompts, prompts_of
from evomerge_quant.planning.question_lengths import question_texts, row_lengths, shared_tokens
from evomerge_quant.planning.workload import measured_prompt_tokens
from evomerge_quant.resident.answering.row_lengths import RowLengths

_LONGEST = 8
_FEW = {"search": 16, "test": 50}


@dataclass(frozen=True)
class TaskReport:
    """The checks of all tasks, the mean tokens of an item and the most of all where they could be counted, and how many
    features all pictures have together."""

    checks: tuple[PreflightCheck, ...]
    prompt_tokens: float | None
    lengths: RowLengths | None = None
    features: int = 0


def task_report(recipe: Recipe, folder: Path, base: Source | None, giver: Source | None) -> TaskReport:
    """Draws every task's items and renders a prompt. `giver` is whose tokenizer the child takes; None for a model that can't
    be opened."""
    checks: list[PreflightCheck] = []
    counted = _Counted([], [])
    prompts = _prompts(base, giver, checks)
    positions = None if base is None else _positions(base)
    features: dict[str, int] = {}
    for spec in recipe.tasks:
        try:
            task = make_task(spec)
            items = draw_items(spec, task, recipe.splits, folder=folder, exclude=spec.exclude)
        except InputError as error:
            checks.append(refused(f"Task {spec.name}", error))
            continue
        checks.append(_enough(spec, items))
        shown = {one.sha256: one for item in _all(items) for one in item.pictures}
        try:
            features |= {} if prompts is None else {sha256: prompts.features([one]) for sha256, one in shown.items()}
        except InputError as error:
            checks.append(refused("Pictures", error))
            continue
        checks += _asked(task, items, prompts, positions, counted)
        checks += _scored(task)
        checks += _whole(task, shown)
    if recipe.taste is not None:
        checks += _taste(recipe.taste, prompts, positions, counted)
        if not recipe.tasks and recipe.taste.weight != 1.0:
            checks.append(warning("Taste", "its weight has no effect: there are no tasks beside it", "remove taste.weight"))
    mean = statistics.mean(counted.means) if counted.means else None
    return TaskReport(tuple(checks), mean, _longest(counted.longest, prompts), sum(features.values()))


@dataclass(frozen=True)
class _Counted:
    """What was counted of the tasks that were asked: the mean tokens of an item of each, and their longest questions."""

    means: list[float]
    longest: list[Question]


def _longest(questions: Sequence[Question], prompts: Prompts | None) -> RowLengths | None:
    """The lengths of the longest questions of all tasks, which are asked together."""
    if prompts is None or not questions:
        return None
    shared = shared_tokens(questions, prompts.tokenizer)
    return reduce(RowLengths.or_longer, (row_lengths(question, prompts.tokenizer, shared) for question in questions))


def _taste(taste: Taste, prompts: Prompts | None, positions: int | None, counted: _Counted) -> Iterator[PreflightCheck]:
    voter = "you vote" if taste.judge is None else "a judge votes"
    yield ok("Taste", f"{len(taste.prompts)} prompts; {voter}, {taste.votes} times in all")
    task = taste_task(weight=taste.weight, max_new_tokens=taste.max_new_tokens)
    yield from _asked(task, ItemSplits(taste_items(taste.prompts), (), ()), prompts, positions, counted)


def _prompts(base: Source | None, giver: Source | None, checks: list[PreflightCheck]) -> Prompts | None:
    if giver is None:
        return None
    try:
        return prompts_of(base, giver)
    except InputError as error:
        checks.append(refused("Prompts", error))
        return None


def _positions(base: Source) -> int | None:
    stated = (base.config if base.checkpoint.body is None else settings(base)).get("max_position_embeddings")
    return stated if isinstance(stated, int) else None


def _all(items: ItemSplits) -> Iterator[Item]:
    for split in SPLITS:
        yield from getattr(items, split)


def _whole(task: Task, pictures: Mapping[str, ItemPicture]) -> list[PreflightCheck]:
    """Whether each picture can be decoded to its end."""
    if not pictures:
        return []
    try:
        require_whole(pictures.values())
    except InputError as error:
        return [refused("Pictures", error)]
    return [ok("Pictures", f"{task.name}: {len(pictures):,} different ones, all of them can be read")]


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


def _asked(
    task: Task, items: ItemSplits, prompts: Prompts | None, positions: int | None, counted: _Counted
) -> list[PreflightCheck]:
    if prompts is None:
        return []
    subject = "Chat template"
    try:
        counted.means.append(measured_prompt_tokens(task, items.search, prompts))
    except InputError as error:
        return [refused(subject, error)]
    return [
        ok(subject, f"{task.name}: {'the tokenizer’s own' if task.chat else 'none, plain prompts'}"),
        *_long(task, items, prompts, positions, counted),
    ]


def _long(task: Task, items: ItemSplits, prompts: Prompts, positions: int | None, counted: _Counted) -> list[PreflightCheck]:
    """Whether the longest questions and their answers fit into the model's context; by text, the longest few of all, which are
    counted."""
    questions = [prompts.question(task, item) for item in _all(items)]
    longest = sorted(questions, key=lambda question: len("".join(question_texts(question))), reverse=True)[:_LONGEST]
    counted.longest.extend(longest)
    if positions is None:
        return []
    most = max(question_tokens(long, prompts.tokenizer) + (0 if long.choices else long.max_new_tokens) for long in longest)
    if most <= positions:
        return [ok("Length", f"{task.name}: {most:,} tokens at most, the model has {positions:,} positions")]
    line = f"{task.name}: an item and its answer may take {most:,} tokens, the model has {positions:,} positions"
    return [problem("Length", line, "lower max_new_tokens, or leave long items out")]


def _scored(task: Task) -> Sequence[PreflightCheck]:
    """The language model of the scorer is carried by a package, and was loaded when the task was made."""
    return [ok("Language", f"{task.name}: an answer counts only in {task.language!r}")] if task.language else []
