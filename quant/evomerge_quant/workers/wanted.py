"""The workers that a command line asks for."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Recipe, Workers, require_workers
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.lock import hold
from evomerge_core.run.run_folder.recovery import restore_if_damaged
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.view.workers import NONE
from evomerge_quant.planning.machine.ray_extra import require_ray


def with_workers(recipe: Recipe, text: str | None) -> Recipe:
    """The recipe with the workers that `--workers TEXT` asks for in place of its own (None: with its own).

    Raises InputError for what can't be meant, and for workers without Ray.
    """
    wanted = recipe.search.workers if text is None else _read(text)
    if wanted is not None:
        require_ray()
    return recipe.model_copy(update={"search": recipe.search.model_copy(update={"workers": wanted})})


def keep_workers(run: Path, text: str) -> str | None:
    """Has a run go on with the workers that `--workers TEXT` asks for; a sentence says when its store comes from its copy."""
    wanted = _read(text)
    if wanted is not None:
        require_ray()
    with hold(run):
        restored = restore_if_damaged(run)
    with closing(open_store(run)) as store:
        write_facts(store, workers_wanted=NONE if wanted is None else wanted)
    return restored


def _read(text: str) -> Workers | None:
    if text == NONE:
        return None
    try:
        return require_workers(int(text) if text.isdecimal() else text)
    # pydantic's own, and a number of thousands of digits
    except ValueError:
        raise InputError("must be a number above 0, auto, ray://HOST:PORT or none", where=f"--workers {text}") from None
