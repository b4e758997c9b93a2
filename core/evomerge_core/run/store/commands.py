"""Commands to a running job: pause, resume, stop. They are obeyed between two evaluations, never during one."""

from __future__ import annotations

import time
from pathlib import Path

from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.store.folder import open_store
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


def obey(store: Store) -> float:
    """Carries out the waiting commands and returns the seconds that the run was paused. Raises `Stopped` on stop."""
    paused, since = False, time.perf_counter()
    while True:
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
