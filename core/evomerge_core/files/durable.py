"""Files that outlast a power cut: bytes are flushed to the disk before they get their name, and the name after that."""

from __future__ import annotations

import glob
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

from evomerge_core.errors import InputError
from evomerge_core.files.full_disk import AGAIN, full_disk, is_full

# Seconds between attempts to give a file its name.
_WAITS = (0.05, 0.2, 0.5, 1.0)


def write_whole(path: Path, text: str, *, mode: int = 0o644, then: str = AGAIN) -> None:
    """Replaces a small file (UTF-8) in one step and makes its folder: a reader sees the old text or the new one.

    InputError when it can't be written; `then` is what to do once a full disk has room.
    """
    data = text.encode("utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(part).chmod(mode)
            rename(Path(part), path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        if is_full(error):
            raise full_disk(path, len(data), then=then) from error
        raise InputError(f"can't be written ({error.strerror})", where=path, remedy="fix its permissions") from error


def _sweep(path: Path) -> None:
    """Removes what processes that were killed while they wrote this file have left."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*-*"):
        number = part.name.removeprefix(f".{path.name}.").partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            part.unlink(missing_ok=True)


def flush_file(path: Path) -> None:
    """Has a file's bytes written to the disk itself."""
    # for writing: Windows flushes no file that is open for reading
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Has the names in a folder written to the disk itself, where the system can do that."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_tree(folder: Path) -> None:
    """Has all files of a folder, its folders and their names written to the disk itself."""
    for place, _, names in os.walk(folder):
        for name in names:
            flush_file(Path(place, name))
        flush_folder(Path(place))


def rename(source: Path, target: Path) -> None:
    """Gives a flushed file or folder its name, over a file that has it, for good."""
    for wait in (*_WAITS, None):
        try:
            source.replace(target)
            break
        except PermissionError:
            # Windows: a virus scanner, or who indexes files, has it open for a moment
            if sys.platform != "win32" or wait is None:
                raise
            time.sleep(wait)
    flush_folder(target.parent)
