"""What a recipe asks of the model: how many answers, how long."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.stages import plan_stages
from evomerge_core.run.generation.judging import race_sizes
from evomerge_core.run.plan import FINALISTS
from evomerge_core.run.references import UNIFORM_WEIGHTS
from evomerge_core.run.timing.cost import load_items
from evomerge_core.search.racing.rungs import rung_sizes
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.task import Task
from evomerge_core.tasks.taste import taste_task
from evomerge_quant.planning.machine.timings import Timing, question_tokens
from evomerge_quant.planning.prompts import Prompts
from evomerge_quant.resident.answering.row_lengths import RowLengths

# A school problem's question and worked answer; answers seldom need the whole limit.
_PROMPT_TOKENS = 200.0
_ANSWER_SHARE = 0.3
_JUDGED_TOKENS = 64
_SAMPLE = 24


@dataclass(frozen=True)
class Workload:
    """What is asked, in items of all tasks together: a candidate of the search is asked `searched_items` of the search's
    `search_items`. `references` are the parents and uniform merges, `finalists` a search's best, each scored in so many
    `precisions`; most references leave a final after the `final_first_items` of its first rung.

    An item has `prompt_tokens` to read and `answer_tokens` to write in the mean; `lengths` are the most that items come to, of
    which at most `asked_at_once` are asked together.
    """

    tasks: tuple[str, ...]
    search_items: int
    searched_items: int
    validation_items: int
    final_first_items: int
    test_items: int
    prompt_tokens: float
    answer_tokens: float
    lengths: RowLengths
    references: int
    finalists: int
    precisions: int

    @property
    def asked_at_once(self) -> int:
        """The items of the largest split."""
        return max(self.search_items, self.validation_items, self.test_items)


def workload(
    recipe: Recipe,
    device: Literal["cpu", "cuda"],
    timings: Sequence[Timing] = (),
    prompt_tokens: float | None = None,
    lengths: RowLengths | None = None,
) -> Workload:
    """The work of a recipe; `prompt_tokens` and `lengths` are what its items were measured to be. Raises InputError for a wrong
    task."""
    tasks, splits, prompts = [make_task(spec) for spec in recipe.tasks], recipe.splits, 0
    count = len(tasks)
    if recipe.taste is not None:
        tasks.append(taste_task(weight=recipe.taste.weight, max_new_tokens=recipe.taste.max_new_tokens))
        prompts = len(recipe.taste.prompts)
    names = tuple(task.name for task in tasks)
    known = [timing.answer_tokens for timing in timings if timing.tasks == names]
    read = prompt_tokens or _PROMPT_TOKENS
    written = statistics.median(known) if known else statistics.mean(_answer_tokens(task) for task in tasks)
    uniform = len(UNIFORM_WEIGHTS) if any(stage.pool == () for stage in plan_stages(recipe)) else 0
    return Workload(
        tasks=names,
        search_items=count * splits.search + prompts,
        searched_items=count * _searched_items(recipe, device, read, written) + prompts,
        validation_items=count * splits.validation,
        final_first_items=count * rung_sizes(splits.validation, load_items=_load(recipe, device, read, written))[0],
        test_items=count * splits.test,
        prompt_tokens=read,
        answer_tokens=written,
        lengths=lengths or _guessed_lengths(read, max(_most_tokens(task) for task in tasks)),
        references=len(recipe.sources) + uniform,
        finalists=FINALISTS if splits.validation else 0,
        precisions=1 + len(recipe.evaluation.confirm),
    )


def _searched_items(recipe: Recipe, device: Literal["cpu", "cuda"], read: float, written: float) -> int:
    """Items of each task that a candidate is asked in the mean: in a race all meet the first rung's, then half of those left
    the next ones."""
    items, validated = recipe.splits.search, recipe.splits.validation > 0
    if recipe.taste is not None:
        return items
    load = _load(recipe, device, read, written)
    sizes = race_sizes(recipe.search, items=items, validated=validated, load=load)
    if sizes is None:
        return items
    steps = [sizes[0], *(later - earlier for earlier, later in pairwise(sizes))]
    mean: float = sum(step / 2**rung for rung, step in enumerate(steps))
    return max(1, round(mean))


def _load(recipe: Recipe, device: Literal["cpu", "cuda"], read: float, written: float) -> float:
    return load_items(device=device, sources=len(recipe.sources), read=read, written=written)


def measured_prompt_tokens(task: Task, items: Sequence[Item], prompts: Prompts) -> float:
    """Mean tokens that the model reads for an item, from the first few."""
    return statistics.mean(question_tokens(prompts.question(task, item), prompts.tokenizer) for item in items[:_SAMPLE])


def _guessed_lengths(read: float, written: int) -> RowLengths:
    """Where no prompt was measured."""
    return RowLengths(read=int(read), whole=int(read) + written if written else 0, judged=_JUDGED_TOKENS)


def _answer_tokens(task: Task) -> float:
    return 0.0 if task.scorer.choices else max(4.0, _ANSWER_SHARE * task.max_new_tokens)


def _most_tokens(task: Task) -> int:
    return 0 if task.scorer.choices else task.max_new_tokens
