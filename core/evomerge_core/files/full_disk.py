"""A full disk, said in one line that names the disk, the file and what it needs."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import on_command_line

# Room for small files and the file system's own books: with less than this, a disk is as good as full.
SPARE_BYTES = 16 * 2**20
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
AGAIN = "try again"


class FullDisk(InputError):
    """There is no room on a disk. What was there before is whole."""

    def but_then(self, then: str) -> FullDisk:
        """The same, with another thing to do once there is space."""
        return FullDisk(self.problem, where=self.where, remedy=f"free some space, then {then}")


def is_full(error: BaseException) -> bool:
    """Whether a write failed for want of room, or of the user's share of it."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(error, FullDisk) or (isinstance(error, OSError) and error.errno in _NO_SPACE)


def full_disk(file: Path, needed: int, *, then: str = AGAIN) -> FullDisk:
    """The error for a file that needs about so many bytes; `then` is what to do once there is space."""
    return FullDisk(f"{disk_of(file)} is full: {file} needs about {_size(needed)}", remedy=f"free some space, then {then}")


def resume_it(run: Path) -> str:
    """What to do with a run once there is space again."""
    return f"`evomerge-tui resume {on_command_line(run)}`"


@contextmanager
def needs_room(file: Path, needed: int, *, then: str = AGAIN) -> Iterator[None]:
    """Says `full_disk` in the place of a write's own error."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if not is_full(error):
            raise
        raise full_disk(file, needed, then=then) from error


def disk_of(path: Path) -> Path:
    """The place where the file system of a path, which needn't exist yet, begins."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.is_mount() or place == place.parent)


def free_bytes(path: Path) -> int:
    """The free bytes on the disk of a path that needn't exist yet."""
    there = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{max(1, round(count / 1e3))} kB"
