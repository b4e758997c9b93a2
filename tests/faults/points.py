"""The places where a process writes, counted; at one of them a fault comes.

A place is a file made or written to, a folder made, a rename, a flush to the disk, or a transaction of the store (before and
after its end). Only what lies in the watched folder counts. Writes of other processes and inside of SQLite are not seen.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn

from evomerge_core.run.store import connection

Fault = Literal["kill -9", "power cut", "no space", "I/O error", "short write", "removed", "cut short", "overwritten"]
KILLS: tuple[Fault, ...] = ("kill -9", "power cut")
FAULTS: tuple[Fault, ...] = (*KILLS, "no space", "I/O error", "short write")
# What happens to files that are there already.
DAMAGES: tuple[Fault, ...] = ("removed", "cut short", "overwritten")
# What fails: a full disk still flushes and renames, and what is committed is done.
_FAILS: dict[Fault, tuple[str, ...]] = {
    "no space": ("make", "write", "commit"),
    "I/O error": ("make", "write", "commit", "flush", "rename"),
    "short write": ("make", "write", "commit"),
}
_ERRORS: dict[Fault, int] = {"no space": errno.ENOSPC, "short write": errno.ENOSPC, "I/O error": errno.EIO}
_SQLITE: dict[Fault, tuple[int, str]] = {
    "no space": (sqlite3.SQLITE_FULL, "database or disk is full"),
    "short write": (sqlite3.SQLITE_FULL, "database or disk is full"),
    "I/O error": (sqlite3.SQLITE_IOERR, "disk I/O error"),
}


def meets(fault: Fault, point: str) -> bool:
    """Whether a fault can come at a point of `seen`; a short write comes at writes, and then the disk is full."""
    what = point.partition(" ")[0]
    return fault in KILLS or what in _FAILS.get(fault, ())


class Points:
    """Watches this process's writes below `folder`; at point `number` (from 1; 0: never) it meets `fault`.

    From an error on, everything fails that takes space, as on a disk that stays full or broken. `seen` lists what was done at
    every point. For a process that ends with its work: nothing is put back.
    """

    def __init__(self, folder: Path, fault: Fault, number: int) -> None:
        self.seen: list[str] = []
        self._folder, self._fault, self._number = str(folder.resolve()), fault, number
        self._broken = False
        self._unflushed: set[str] = set()

    def watch(self) -> None:
        """Puts itself between Python and the system."""
        opened, fsync = io.open, os.fsync
        builtins.open = io.open = lambda *words, **options: self._open(opened, *words, **options)  # type: ignore[assignment]
        os.fsync = lambda handle: self._fsync(fsync, handle)
        for name in ("rename", "replace"):
            setattr(os, name, self._renaming(getattr(os, name)))
        os.mkdir = self._making(os.mkdir)
        execute = connection._Cursor.execute
        connection._Cursor.execute = lambda cursor, *words: self._execute(execute, cursor, *words)  # type: ignore[method-assign]

    def _point(self, what: str, path: str) -> None:
        """One more place; the fault comes before what is done there."""
        if not path.startswith(self._folder):
            return
        self.seen.append(f"{what} {os.path.relpath(path, self._folder)}")
        comes = len(self.seen) == self._number
        if comes and self._fault in KILLS:
            self._end()
        self._broken |= comes
        if self._broken and meets(self._fault, what):
            raise self._error(path)

    def _end(self) -> NoReturn:
        if self._fault == "power cut":
            for path in self._unflushed:
                if Path(path).is_file():
                    os.truncate(path, 0)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("killed")

    def _error(self, path: str) -> OSError:
        code = _ERRORS[self._fault]
        return OSError(code, os.strerror(code), path)

    def _open(self, opened: Callable[..., Any], file: Any, mode: str = "r", *words: Any, **options: Any) -> Any:
        path = _named(file) if isinstance(file, int) else _absolute(file)
        if not set(mode) & set("wax+") or not path.startswith(self._folder):
            return opened(file, mode, *words, **options)
        if "r" not in mode:
            self._point("make", path)
            self._unflushed.add(path)
        return _Written(opened(file, mode, *words, **options), self, path)

    def write(self, file: Any, path: str, data: Any) -> Any:
        """What a file's `write` does."""
        try:
            self._point("write", path)
        except OSError:
            if self._fault == "short write":
                file.write(data[: len(data) // 2])
                file.flush()
            raise
        self._unflushed.add(path)
        return file.write(data)

    def _fsync(self, fsync: Callable[[Any], None], handle: Any) -> None:
        path = _named(handle if isinstance(handle, int) else handle.fileno())
        self._point("flush", path)
        fsync(handle)
        self._unflushed.discard(path)

    def _renaming(self, rename: Callable[..., None]) -> Callable[..., None]:
        def watched(source: Any, target: Any, **options: Any) -> None:
            old, new = _absolute(source), _absolute(target)
            self._point("rename", new)
            rename(source, target, **options)
            moved = {path for path in self._unflushed if path == old or path.startswith(old + os.sep)}
            self._unflushed = (self._unflushed - moved) | {new + path.removeprefix(old) for path in moved}

        return watched

    def _making(self, mkdir: Callable[..., None]) -> Callable[..., None]:
        def watched(path: Any, *words: Any, **options: Any) -> None:
            self._point("make", _absolute(path))
            mkdir(path, *words, **options)

        return watched

    def _execute(self, execute: Callable[..., Any], cursor: Any, *words: Any) -> Any:
        if words[0] != "COMMIT":
            return execute(cursor, *words)
        path = str(Path(cursor.connection.path).absolute())
        try:
            self._point("commit", path)
        except OSError:
            code, text = _SQLITE[self._fault]
            error = sqlite3.OperationalError(text)
            error.sqlite_errorcode = code
            with connection.says_why(Path(path)):
                raise error from None
        done = execute(cursor, *words)
        self._point("committed", path)
        return done


class _Written:
    """A file that is open for writing, and tells of every write."""

    def __init__(self, file: Any, points: Points, path: str) -> None:
        self._file, self._points, self._path = file, points, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Written:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: Any) -> Any:
        return self._points.write(self._file, self._path, data)


def _absolute(path: Any) -> str:
    return str(Path(os.fsdecode(path)).absolute())


def _named(handle: int) -> str:
    return str(Path(f"/proc/self/fd/{handle}").readlink())
