"""Whether a file is still the one that was opened, by what can be seen without reading it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from evomerge_core.errors import InputError


class FileMark(NamedTuple):
    """A file as it was: size in bytes, time of last change in nanoseconds, and its number on its disk."""

    path: str
    size: int
    changed: int
    number: int


def mark_file(path: Path) -> FileMark:
    """The file as it is now; a link stands for what it points to. Raises `InputError` for one that can't be seen."""
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy="download or copy it again") from None
    return FileMark(str(path), status.st_size, status.st_mtime_ns, status.st_ino)


def is_cut(mark: FileMark) -> bool:
    """Whether a file is there and shorter than it was."""
    try:
        return mark_file(Path(mark.path)).size < mark.size
    except InputError:
        return False


def change_of(mark: FileMark) -> str | None:
    """What has happened to a file since it was marked, in words that follow its name; None for nothing."""
    try:
        now = mark_file(Path(mark.path))
    except InputError:
        return "was removed"
    if now.size < mark.size:
        return f"was cut short, from {mark.size} to {now.size} bytes"
    if now.number != mark.number:
        return "was replaced"
    return "was written to" if now != mark else None
