"""Files read whole, as far as there is sense in that: ordinary ones, of no more bytes and values than anybody means."""

from __future__ import annotations

import stat
from pathlib import Path

from evomerge_core.errors import InputError

# Of a file that a program wrote, such as a tokenizer: the largest of well-known models have 35 MB.
MOST_BYTES = 100_000_000
# What separates or opens values in JSON and tables; a value takes up to 64 bytes of memory.
_MARKS = b",[{;\t|\n"
_MOST_MARKS = 5_000_000


def read_bounded(path: Path, *, most: int = MOST_BYTES, remedy: str) -> bytes:
    """A file's bytes. FileNotFoundError where there is none, InputError for what is no ordinary file, too large or unreadable.

    A pipe or a device could go on for ever, and may do something when it is read.
    """
    try:
        facts = path.stat()
        other = _other_than_file(facts.st_mode)
        if other:
            raise InputError(f"can't be read (it is {other})", where=path, remedy=remedy)
        if facts.st_size > most:
            raise _too_large(path, most, remedy)
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"can't be read ({reason})", where=path, remedy="check the file's permissions") from None
    if len(data) > most:
        raise _too_large(path, most, remedy)
    return data


def other_than_file(path: Path) -> str:
    """What lies in a file's place, such as "a folder"; "" where there is a file, or nothing."""
    try:
        return _other_than_file(path.stat().st_mode)
    except FileNotFoundError:
        return "a link that leads nowhere" if path.is_symlink() else ""


def _other_than_file(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "" if stat.S_ISREG(mode) else "a pipe or a device"


def _too_large(path: Path, most: int, remedy: str) -> InputError:
    return InputError(f"larger than {most // 1_000_000:,} MB", where=path, remedy=remedy)


def require_few_values(path: Path, data: bytes, *, remedy: str) -> None:
    """InputError for JSON or a table of more values than anybody means: they'd take gigabytes of memory."""
    if sum(data.count(mark) for mark in _MARKS) > _MOST_MARKS:
        raise InputError(f"holds more than {_MOST_MARKS // 1_000_000} million values", where=path, remedy=remedy)
