"""Taste as a task: prompts without correct answers. What an answer is worth is known by votes, not by a scorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.items.items import Item, make_item
from evomerge_core.tasks.scorers.scorer import Expected, Scorer, nothing
from evomerge_core.tasks.task import Task

# What the task is called; no other may be.
TASTE = "taste"
# What an answer is worth that nobody has voted on: as much as the average one.
UNKNOWN = 0.5
# Which of two answers to a prompt is better, as a model sees it: "first", "second" or "tie", once with the first one shown
# first, and once with the second one shown first.
Judge = Callable[[str, str, str], tuple[str, str]]


def taste_task(*, weight: float, max_new_tokens: int) -> Task:
    """The task that asks the prompts."""
    # not registered: no other task can be scored so
    votes = Scorer(TASTE, _unknown, lambda _: "", choices=False, lacking=nothing)
    return Task(TASTE, "{prompt}", votes, weight=weight, max_new_tokens=max_new_tokens)


def taste_items(prompts: Sequence[str]) -> tuple[Item, ...]:
    """The prompts as items, in their order."""
    return tuple(make_item({"prompt": prompt}, f"taste: prompt {number}") for number, prompt in enumerate(prompts, 1))


def _unknown(_answer: Answer, _expected: Expected) -> float:
    return UNKNOWN
