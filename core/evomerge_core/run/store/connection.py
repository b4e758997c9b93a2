"""Connections to a run's SQLite file, whose errors are said in one line: a full disk, a damaged file, one that can't be
written. What passes by itself, a locked file, stays SQLite's own error."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.full_disk import SPARE_BYTES, free_bytes, full_disk, is_full, resume_it
from evomerge_core.run.store.write_ahead_log import with_log

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# What SQLite says where it can't make, lock or fill a file beside the store; a full disk is one of the reasons.
_UNUSABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY)
# Less than SQLite's smallest files take.
_NOTHING = 2**17


class DamagedStore(InputError):
    """The store isn't what was written."""

    def __init__(self, path: Path, problem: str) -> None:
        remedy = f"{resume_it(path.parent)} goes on from the last sound copy, where there is one"
        super().__init__(f"is damaged ({problem})", where=path, remedy=remedy)


class Connection(sqlite3.Connection):
    """A connection that knows its file."""

    path: Path

    def cursor(self, *_: Any) -> _Cursor:  # type: ignore[override]
        return super().cursor(_Cursor)

    # SQLite's own take a cursor of its own

    def execute(self, *words: Any) -> _Cursor:
        return self.cursor().execute(*words)

    def executemany(self, *words: Any) -> _Cursor:
        return self.cursor().executemany(*words)

    def executescript(self, script: str) -> _Cursor:
        return self.cursor().executescript(script)


class _Cursor(sqlite3.Cursor):
    connection: Connection

    def execute(self, *words: Any) -> _Cursor:
        with says_why(self.connection.path):
            super().execute(*words)
            return self

    def executemany(self, *words: Any) -> _Cursor:
        with says_why(self.connection.path):
            super().executemany(*words)
            return self

    def executescript(self, script: str) -> _Cursor:
        with says_why(self.connection.path):
            super().executescript(script)
            return self

    def fetchone(self) -> Any:
        with says_why(self.connection.path):
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with says_why(self.connection.path):
            return super().fetchall()

    def __iter__(self) -> Any:
        return iter(self.fetchall())


def connect(path: Path) -> Connection:
    """A connection that reads and writes; the file is made if it isn't there."""
    with says_why(path):
        return _opened(path, path)


def connect_to_read(path: Path) -> Connection:
    """A connection that writes nothing into the run's folder, and needs no right to.

    Where SQLite can't keep its index of the log beside the file (another's folder, a full disk), the file is read as it is now:
    directly when it has no log, else from a copy in memory.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = _opened(path, address, uri=True)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except DamagedStore:
        raise
    except (InputError, sqlite3.OperationalError):
        log = path.with_name(f"{path.name}-wal")
        if _is_empty(log):
            return _opened(path, f"{address}&immutable=1", uri=True)
        return _in_memory(path, log)
    return connection


@contextmanager
def says_why(path: Path) -> Iterator[None]:
    """Says SQLite's errors about the file in one line."""
    try:
        yield
    except sqlite3.Error as error:
        said = _said(error, path)
        if said is None:
            raise
        raise said from error


def _said(error: sqlite3.Error, path: Path) -> InputError | None:
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if is_full(error) or (kind in _UNUSABLE and free_bytes(path) < _NOTHING):
        return full_disk(path, SPARE_BYTES, then=resume_it(path.parent))
    if kind in _DAMAGED:
        return DamagedStore(path, str(error))
    if kind in _UNUSABLE:
        return InputError(f"can't be used ({error})", where=path, remedy="check the disk and the folder's permissions")
    if str(error).startswith(("no such table", "no such column", "Could not decode")):
        return DamagedStore(path, str(error))
    return None


def _opened(path: Path, address: Path | str, **options: bool) -> Connection:
    connection = sqlite3.connect(address, timeout=30, isolation_level=None, factory=Connection, **options)
    connection.path = path
    connection.row_factory = sqlite3.Row
    return connection


def _in_memory(path: Path, log: Path) -> Connection:
    connection = _opened(path, ":memory:")
    try:
        data = with_log(path.read_bytes(), log.read_bytes())
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy="check its permissions") from error
    with says_why(path):
        connection.deserialize(data)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return connection


def _is_empty(file: Path) -> bool:
    return not file.exists() or file.stat().st_size == 0
