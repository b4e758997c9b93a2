"""The processes that a process has started, and those that they have started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import psutil


def suspended_descendants(process: psutil.Process) -> list[psutil.Process]:
    """All of a process's descendants, none of whom can start another any more: each is suspended before its own children are
    looked for."""
    found: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in process.children():
            found.append(child)
            with contextlib.suppress(psutil.NoSuchProcess):
                child.suspend()
            found += suspended_descendants(child)
    return found


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kills those that are still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
