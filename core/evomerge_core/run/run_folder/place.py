"""Whether a run's folder, store and lock are still those that its job began with.

A file that is removed or replaced while a process has it open lives on without a name, and whoever writes to it writes for
nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import other_than_file
from evomerge_core.files.full_disk import resume_it
from evomerge_core.run.run_folder.kept_room import ROOM
from evomerge_core.run.run_folder.names import COPY, DAMAGED, LOCK, LOG, RECIPE, SOURCES, STORE, WINNER
from evomerge_core.run.store.connection import BESIDE

_FILES = (*(RECIPE, SOURCES, STORE, COPY, DAMAGED, LOCK, LOG, ROOM), *(f"{STORE}{ending}" for ending in BESIDE))
_KNOWN = (STORE, f"{STORE}-wal", LOCK)

Identity = tuple[int, int]


class LostPlace(InputError):
    """A run's job no longer works where the run is. What it has scored is in the store that it has open."""


@dataclass(frozen=True)
class Place:
    """A run's folder, and which files its store, the store's log and its lock are: disk and number, by name."""

    folder: Path
    files: Mapping[str, Identity]


def mark_place(folder: Path) -> Place:
    """The place as it is now, for the job that has the lock and an open store."""
    found = {name: _identity(folder / name) for name in _KNOWN}
    return Place(folder, {name: identity for name, identity in found.items() if identity is not None})


def require_place(place: Place) -> None:
    """Raises `LostPlace` that says which file is gone or another, and what to do."""
    folder = place.folder
    if not folder.is_dir():
        remedy = "put it back, or resume it under its new name"
        raise LostPlace("the run's folder was renamed or removed while its job ran", where=folder, remedy=remedy)
    for name, identity in place.files.items():
        now = _identity(folder / name)
        if now == identity:
            continue
        what, remedy = "removed" if now is None else "replaced", f"go on with {resume_it(folder)}"
        if name == STORE:
            goes_on = f"{resume_it(folder)} goes on from {COPY}, which has all that was scored"
            remedy = goes_on if now is None else f"remove it, then {goes_on}"
        raise LostPlace(f"was {what} while the job ran", where=folder / name, remedy=remedy)


def _identity(path: Path) -> Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def require_own_files(folder: Path) -> None:
    """Refuses a run folder that somebody has prepared or rearranged: its job writes into that folder alone.

    Raises `InputError` where one of its files is a link or no file, or the winner's folder is a link or no folder.
    """
    for name in (*_FILES, WINNER):
        path = folder / name
        if path.is_symlink():
            raise InputError("is a link, and a run writes into its own folder only", where=path, remedy="remove it")
        wanted, found = ("folder", _other_than_folder(path)) if name == WINNER else ("file", other_than_file(path))
        if found:
            problem = f"is {found}; the run has a {wanted} of that name"
            raise InputError(problem, where=path, remedy=f"move it away, then {resume_it(folder)}")


def _other_than_folder(path: Path) -> str:
    return (other_than_file(path) or "a file") if path.exists() and not path.is_dir() else ""
