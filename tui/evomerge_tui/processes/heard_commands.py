"""Commands to a run that are heard while its job waits for what it can't interrupt, such as a cluster's start."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.commands import Stopped, obey
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.kept_room import give_room
from evomerge_tui.processes.descendants import kill_all, suspended_descendants

_SECONDS = 0.3


@contextlib.contextmanager
def commands_heard(folder: Path) -> Iterator[list[float]]:
    """Obeys a run's commands beside what is done in this context, which a paused run leaves when it is resumed. The list that
    is given has the seconds of each pause. `stop` ends this process and all that it started, without returning: what is waited
    for in the meantime can't be interrupted, and nothing has been computed that would be lost.
    """
    pauses: list[float] = []
    over = threading.Event()
    # absolute: the working folder may change meanwhile
    ears = threading.Thread(target=_listen, args=(folder.absolute(), over, pauses), daemon=True)
    ears.start()
    try:
        yield pauses
        # a pause that is under way is waited for, but by nobody who was interrupted or failed
        over.set()
        ears.join()
    finally:
        over.set()


def _listen(folder: Path, over: threading.Event, pauses: list[float]) -> None:
    if _hears_stop(folder, over, pauses):
        give_room(folder)
        kill_all(suspended_descendants(psutil.Process()))
        os._exit(0)


def _hears_stop(folder: Path, over: threading.Event, pauses: list[float]) -> bool:
    """Obeys commands until it is `over`, or the run is stopped."""
    try:
        with closing(open_store(folder)) as store:
            try:
                while not over.wait(_SECONDS):
                    if store.waiting_commands():
                        pauses.append(obey(store, _look_at_nothing))
            except Stopped:
                store.add_event("stopped")
                return True
    # of a store that is gone or held, which the job meets in what it does next
    except (InputError, sqlite3.Error):
        pass
    return False


def _look_at_nothing() -> None:
    """The job looks at its files itself, before and after."""
