"""Errors about a recipe's keys in the words of the forms: a person who fills in a form knows titles, not keys."""

from __future__ import annotations

import re

_TITLES = {
    "name": "Name",
    "base": "Base",
    "sources": "Sources",
    "tokenizer_source": "Tokenizer",
    "tasks": "Tasks",
    "budget.evaluations": "Candidates",
    "budget.minutes": "Minutes",
    "splits.search": "Search items",
    "splits.validation": "Validation items",
    "splits.test": "Test items",
    "search_space.method": "Method",
    "search_space.groups": "Groups",
    "search_space.groups.bands": "Bands",
    "search.population": "Population",
    "evaluation.precision": "Precision",
    "evaluation.confirm": "Also test in bf16",
    "evaluation.device": "Device",
    "seed": "Seed",
}
_TASK_TITLES = {
    "name": "Name",
    "file": "Items",
    "fields": "Question and answer",
    "prompt": "Prompt",
    "scorer": "Scorer",
    "choices": "Choices",
    "answer_is": "Answers are",
    "language": "Language",
    "weight": "Weight",
    "max_new_tokens": "Max tokens",
}
_STEPS = {
    **dict.fromkeys(("base", "sources", "tokenizer_source", "pool"), "models"),
    "tasks": "goal",
    **dict.fromkeys(("name", "search_space", "search", "splits", "budget", "evaluation", "seed"), "search"),
}
_KEY = re.compile(r"key '([^']+)'")
_TASK = re.compile(r"tasks\[(\d+)\]\.(\w+)")


def with_titles(problem: str) -> str:
    """`Candidates must be at least 1` for `key 'budget.evaluations' must be at least 1`; a key without a field stays."""
    return _KEY.sub(lambda key: _title(key[1]) or key[0], problem)


def step_of(problem: str) -> str:
    """The step that an error about a key belongs to; the last one where no step has its field."""
    key = _KEY.search(problem)
    first = "" if key is None else re.split(r"[.\[]", key[1])[0]
    return _STEPS.get(first, "review")


def _title(key: str) -> str | None:
    task = _TASK.fullmatch(key)
    if task is None:
        return _TITLES.get(key)
    title = _TASK_TITLES.get(task[2])
    return None if title is None else f"{title} of task {int(task[1]) + 1}"
