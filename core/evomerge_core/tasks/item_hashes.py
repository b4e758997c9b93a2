"""What a task's items are, as hashes: a run that goes on knows by them whether it still asks what it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.tasks.draw_items import open_items
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.ready import get_ready
from evomerge_core.tasks.spec import TaskSpec


def item_hashes(spec: TaskSpec, *, folder: Path) -> dict[str, str]:
    """A hash of the items, in their order, of each file and dataset that an entry names, by the key that names it.

    The keys are `file`, `files.search` and its like, `dataset` (a ready task's too) and `exclude`. Raises `InputError` for what
    can't be read.
    """
    reader = open_items(spec, make_task(spec), folder)
    found = {key: reader.items(file) for key, file in _files(spec).items()} or {"dataset": reader.dataset()}
    if spec.exclude is not None:
        found["exclude"] = reader.questions(spec.exclude)
    return {key: _hash(items) for key, items in found.items()}


def require_same_items(spec: TaskSpec, began: Mapping[str, str], *, folder: Path) -> None:
    """Refuses items that aren't those that a run began with, whose hashes were `began`. Raises `InputError` that names them."""
    for key, now in item_hashes(spec, folder=folder).items():
        if now == began.get(key):
            continue
        where = {**_files(spec), "exclude": spec.exclude}.get(key) or _dataset(spec)
        remedy = "name the revision that it began with, in a new run" if key == "dataset" else "restore it, or start a new run"
        raise InputError(f"the items of {spec.name} changed since the run began", where=where, remedy=remedy)


def _files(spec: TaskSpec) -> dict[str, str]:
    if spec.file is not None:
        return {"file": spec.file}
    return {} if spec.files is None else {f"files.{split}": file for split, file in spec.files.model_dump().items()}


def _dataset(spec: TaskSpec) -> str:
    return spec.dataset or ("" if spec.task is None else get_ready(spec.task).dataset)


def _hash(items: Iterable[Item]) -> str:
    """By content; a number isn't the text that it is written with."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item.id}|{','.join(sorted(item.numbers))}\n".encode())
    return digest.hexdigest()
