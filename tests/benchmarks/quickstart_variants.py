"""The quickstart's recipe, or another, changed a little, and runs of it as jobs of their own: what several benchmarks need."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import LOG
from evomerge_core.run.setup import create_run
from evomerge_recipes.quickstart.prepare import prepared_recipe


def variant(file: str = "recipe.yaml", **changes: Mapping[str, Any]) -> Recipe:
    """The quickstart, or another of its recipes, changed."""
    return changed(prepared_recipe(user_cache_path("evomerge-tui"), file), **changes)


def changed(recipe: Recipe, **changes: Mapping[str, Any]) -> Recipe:
    """The recipe with keys of its sections changed, as in `search={"racing": False}`."""
    # a `paths` that is there but empty asks for paths of the default kind
    data = recipe.model_dump(exclude_none=True)
    for section, keys in changes.items():
        data[section] = {**data[section], **keys} if section != "search_space" else dict(keys)
    return Recipe.model_validate(data, context={"folder": recipe.folder})


def carry_out(recipe: Recipe, folder: Path, *, seed: int | None = None, minutes: float | None = None) -> float:
    """Makes the run and its job, and waits for its end; the seconds from the job's start. Ends the program if it fails.

    A run that is there already is continued; of a finished one the seconds that it ran are read.
    """
    if not folder.exists():
        create_run(recipe, out=folder, seed=seed, minutes=minutes)
    store = open_store(folder)
    if store.fact("state") == "finished":
        return float(store.fact("active_seconds"))
    started = time.monotonic()
    with (folder / LOG).open("ab") as log:
        status = subprocess.run(
            [sys.executable, "-m", "evomerge_tui.processes.job", str(folder)], stdout=log, stderr=log, check=False
        )
    if status.returncode or store.fact("state") != "finished":
        sys.exit(f"{folder}: {store.fact('message')}")
    return time.monotonic() - started
