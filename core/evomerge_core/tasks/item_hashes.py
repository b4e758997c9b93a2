"""What a task's items are, as hashes: a run that goes on knows by them whether it still asks what it began with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.tasks.draw_items import DATASET, EXCLUDE, named_files, open_items
from evomerge_core.tasks.items.items import hash_items
from evomerge_core.tasks.items.pictures import IMAGE
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.ready import get_ready
from evomerge_core.tasks.spec import TaskSpec


def item_hashes(spec: TaskSpec, *, folder: Path) -> dict[str, str]:
    """A hash of the items, in their order, of each file and dataset that an entry names, by the key that names it.

    The keys are `file`, `files.search` and its like, `dataset` (a ready task's too) and `exclude`. Raises `InputError` for what
    can't be read.
    """
    files = open_items(spec, make_task(spec), folder).all_items(spec.exclude)
    return {key: hash_items(items) for key, items in files.items()}


def require_same_items(spec: TaskSpec, began: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Refuses items that aren't those that a run began with, whose hashes were `began`. Raises `InputError` that names them."""
    for key, found in now.items():
        if found == began.get(key):
            continue
        where = {**named_files(spec), EXCLUDE: spec.exclude}.get(key) or _dataset(spec)
        remedy = "name the revision that it began with, in a new run" if key == DATASET else "restore it, or start a new run"
        # the file may be as it was, and a picture beside it another
        shown = ", or pictures that they show," if IMAGE in (spec.fields or ()) or f"{{{IMAGE}}}" in (spec.prompt or "") else ""
        raise InputError(f"the items of {spec.name}{shown} changed since the run began", where=where, remedy=remedy)


def _dataset(spec: TaskSpec) -> str:
    return spec.dataset or ("" if spec.task is None else get_ready(spec.task).dataset)
