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
_KEY = re.compile(r"key '([^']+)'")
_TASK = re.compile(r"tasks\[(\d+)\]\.(\w+)")


def with_titles(problem: str) -> str:
    """`Candidates must be at least 1` for `key 'budget.evaluations' must be at least 1`; a key without a field stays."""
    return _KEY.sub(lambda key: _title(key[1]) or key[0], problem)


def _title(key: str) -> str | None:
    task = _TASK.fullmatch(key)
    if task is None:
        return _TITLES.get(key)
    title = _TASK_TITLES.get(task[2])
    return None if title is None else f"{title} of task {int(task[1]) + 1}"
