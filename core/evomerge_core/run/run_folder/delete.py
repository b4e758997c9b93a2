"""Deleting a run: what the program wrote, and nothing else."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import on_command_line
from evomerge_core.run.run_folder.kept_room import ROOM
from evomerge_core.run.run_folder.lock import hold, is_held
from evomerge_core.run.run_folder.names import COPY, DAMAGED, FEATURES, LOCK, LOG, RECIPE, SOURCES, STORE, WINNER
from evomerge_core.run.run_folder.scratch import sweep_scratch
from evomerge_core.run.store.connection import BESIDE
from evomerge_core.run.store.copies import PART

_FOLDERS = (WINNER, FEATURES, "candidates")
_STORES = (STORE, f"{STORE}{PART}", COPY, f"{COPY}{PART}", DAMAGED)
_FILES = (
    *(RECIPE, SOURCES, *_STORES, *(f"{store}{ending}" for store in _STORES for ending in BESIDE)),
    *(ROOM, LOG, "votes.jsonl"),
)


def delete_run(folder: Path) -> None:
    """Removes a run's files, its winner, and the folder unless something else is in it. Of a link the link alone goes.

    Raises `InputError` when its job is running, when it is no run, or when a file can't be removed.
    """
    if not (folder / STORE).is_file():
        raise InputError(f"is not a run folder ({STORE} is missing)", where=folder, remedy="nothing was deleted")
    if is_held(folder):
        remedy = f"stop it first with `evomerge-tui stop {on_command_line(folder)}`"
        raise InputError("a job is running here", where=folder, remedy=remedy)
    try:
        # a job that is started meanwhile finds the lock held
        with nullcontext() if (folder / LOCK).is_symlink() else hold(folder):
            _remove_files(folder)
        (folder / LOCK).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        problem = f"can't be deleted ({error.strerror}: {error.filename})"
        raise InputError(problem, where=folder, remedy="fix its permissions") from error


def _remove_files(folder: Path) -> None:
    sweep_scratch(folder)
    for name in _FOLDERS:
        if (folder / name).is_symlink():
            (folder / name).unlink()
        elif (folder / name).is_dir():
            shutil.rmtree(folder / name)
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
