"""What a person tells a running job: pause, resume, stop. Read between two evaluations, never in the middle of one."""

from __future__ import annotations

import time
from pathlib import Path

from evomerge_core.run.store.folder import open_store
from evomerge_core.run.store.store import Store

_POLL_SECONDS = 0.2


class Stopped(Exception):
    """The run was asked to stop; everything finished is in the store, and `resume` goes on from there."""


def append_command(folder: Path, name: str) -> int:
    """Appends a command (pause, resume or stop) to a run's store and returns its number; the run's job reads it between two
    evaluations. Raises `InputError` when the folder is no run's."""
    store = open_store(folder)
    try:
        return store.add_command(name)
    finally:
        store.close()


def obey(store: Store) -> float:
    """Carries out the commands that wait: returns when the run may go on, raises `Stopped` when it may not.

    Gives the seconds that the run was paused.
    """
    paused, since = False, time.perf_counter()
    while True:
        for name in store.take_commands():
            if name == "stop":
                store.set_facts(state="stopped")
                raise Stopped
            if paused != (name == "pause"):
                paused = name == "pause"
                store.set_facts(state="paused" if paused else "running")
        if not paused:
            return time.perf_counter() - since
        time.sleep(_POLL_SECONDS)
