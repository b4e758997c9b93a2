"""Runs on tiny models whose candidates are compared by votes, and a voter who likes numbers."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import yaml

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.setup import create_run
from support.tiny_run import write_recipe as write_tiny_recipe

PROMPTS = ["w5 7", "w9 12", "w20 3", "w31 44"]
BY_TASTE: dict[str, Any] = {
    "search_space": {"groups": {"bands": 2}},
    "taste": {"prompts": PROMPTS, "votes": 20, "max_new_tokens": 6},
    "budget": {"evaluations": 12},
    "search": {"population": 6},
    "evaluation": {"precision": "fp32", "device": "cpu"},
}
# what a run by taste alone doesn't have
_TASKS = ("tasks", "splits")


def write_recipe(place: Path, *, with_tasks: bool = True, **changes: Any) -> Path:
    """A recipe's file; without tasks, of taste alone."""
    path = write_tiny_recipe(place, **changes)
    if not with_tasks:
        recipe = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({key: value for key, value in recipe.items() if key not in _TASKS}, sort_keys=False))
    return path


def make_run(place: Path, out: str = "run", **changes: Any) -> Path:
    """A run's folder; where the changes have no `tasks`, of taste alone."""
    path = write_recipe(place, with_tasks="tasks" in changes, **{**BY_TASTE, **changes})
    return create_run(load_recipe(path), out=place / out)


def numbers_in(answer: str) -> int:
    """What the voter likes: how many of an answer's words are numbers."""
    return sum(word.isdigit() for word in answer.split())


def likes(first: str, second: str) -> str:
    """Which of two answers the voter likes better."""
    ours, theirs = numbers_in(first), numbers_in(second)
    return "tie" if ours == theirs else "first" if ours > theirs else "second"


def judge(_prompt: str, first: str, second: str) -> tuple[str, str]:
    """The voter as a judge that is not swayed by order."""
    return likes(first, second), likes(first, second)


def votes_in(run: Path) -> list[tuple[Any, ...]]:
    """All votes and what they made of candidates, clocks left out."""
    connection = sqlite3.connect(run / "run.db")
    votes = connection.execute("SELECT id, poll, item, first, second, choice, again, voter FROM votes ORDER BY id").fetchall()
    ratings = connection.execute("SELECT * FROM ratings ORDER BY poll, candidate").fetchall()
    connection.close()
    return [*votes, *ratings]
