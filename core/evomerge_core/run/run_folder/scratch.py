"""Folders in a run's folder that hold models for a while; whoever makes one holds a lock in it, and its end frees both."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock, Timeout

SCRATCH = ".rescore-"
SCRATCH_LOCK = "lock"


def sweep_scratch(run: Path) -> None:
    """Removes the scratch folders whose makers have ended without doing so."""
    for folder in run.glob(f"{SCRATCH}*"):
        if folder.is_symlink():
            continue
        lock = FileLock(folder / SCRATCH_LOCK)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
