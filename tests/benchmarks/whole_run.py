"""A whole run in its folder, made or gone on with, and what its search cost; and a tiny one to try a benchmark with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.setup import create_run
from evomerge_core.run.view.result import read_result

sys.path.append(str(Path(__file__).parents[1]))
from support.tiny_run import write_recipe

_ASKED = {
    "name": "both",
    "file": "items.jsonl",
    "fields": {"question": "question"},
    "prompt": "{question}",
    "gold": "{question}",
    "scorer": "regex",
    "pattern": "7.*4|4.*7",
    "max_new_tokens": 8,
}


def carry_out(recipe: Recipe, folder: Path) -> Mapping[str, Any]:
    """The result of a run; one that is there already, or was begun, isn't begun anew. The job is a process of its own."""
    if not folder.exists():
        create_run(recipe, out=folder)
    result = read_result(folder)
    if result is None:
        with (folder / "benchmark.log").open("ab") as log:
            job = [sys.executable, "-m", "evomerge_tui.processes.job", str(folder)]
            subprocess.run(job, check=True, stdout=log, stderr=log)
        result = read_result(folder)
    assert result is not None
    return result


def answers_and_tokens(folder: Path, splits: frozenset[str] = frozenset({"search", "pool"})) -> tuple[int, int]:
    """The answers that a run's candidates gave to some splits, and the tokens that they wrote."""
    with closing(read_store(folder)) as store:
        passes = [
            done for one in store.candidates() for split in splits for done in store.passes_of(one.id, split, _own(store))
        ]
    return sum(done.items for done in passes), sum(done.tokens for done in passes)


def tiny_recipe(place: Path) -> Recipe:
    """Random models of two layers, and a task that wants two things at once."""
    changes: dict[str, Any] = {
        "tasks": [_ASKED],
        "splits": {"search": 16, "validation": 8, "test": 12},
        "evaluation": {"precision": "fp32", "device": "cpu"},
        "search": {},
    }
    return load_recipe(write_recipe(place, **changes))


def _own(store: Any) -> str:
    precision: str = store.fact("precision")
    return precision
