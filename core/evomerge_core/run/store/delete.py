"""Deleting a run: what the program wrote, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.run.store.folder import LOCK, LOG, RECIPE, SOURCES, STORE, WINNER, is_held

_FOLDERS = (WINNER, "candidates")
_FILES = (RECIPE, SOURCES, STORE, f"{STORE}-wal", f"{STORE}-shm", LOCK, LOG, "votes.jsonl")


def delete_run(folder: Path) -> None:
    """Removes a run's files, its winner, and the folder unless something of somebody else's is in it.

    Raises `InputError` when a job is at work on it, when it is no run, or when a file can't be removed.
    """
    if not (folder / STORE).is_file():
        raise InputError(f"{folder}: is not a run folder ({STORE} is missing); nothing was deleted")
    if is_held(folder):
        raise InputError(f"{folder}: a job is at work on this run; stop it first with `evomerge-tui stop {folder}`")
    try:
        for name in _FOLDERS:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise InputError(f"{folder}: can't be deleted ({error.strerror}: {error.filename}); correct its rights") from error
