"""Commands to a running job: pause, resume, stop. They are obeyed between two evaluations, never during one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.store.store import Store

_POLL_SECONDS = 0.2


class Stopped(Exception):
    """The run was asked to stop; everything finished is in the store, and `resume` continues from there."""


def append_command(folder: Path, name: str) -> int:
    """Appends a command (pause, resume or stop) to a run's store and returns its number; the run's job reads it between two
    evaluations. Raises `InputError` when the folder is no run's."""
    store = open_store(folder)
    try:
        return store.add_command(name)
    finally:
        store.close()


def obey(store: Store, require_unchanged: Callable[[], None]) -> float:
    """Carries out the waiting commands and returns the seconds that the run was paused. Raises `Stopped` on stop.

    `require_unchanged` is asked first, and again and again in a pause: commands to a store that was removed never come.
    """
    paused, since = False, time.perf_counter()
    while True:
        require_unchanged()
        for name in store.take_commands():
            if name == "stop":
                write_facts(store, state="stopped")
                raise Stopped
            if paused != (name == "pause"):
                paused = name == "pause"
                write_facts(store, state="paused" if paused else "running")
        if not paused:
            return time.perf_counter() - since
        time.sleep(_POLL_SECONDS)
