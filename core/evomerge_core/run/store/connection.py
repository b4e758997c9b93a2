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
# What it says, with no code of its own, of a file that isn't as this program makes it.
_NOT_OURS = (
    *("no such table", "no such column", "no such module", "no such collation sequence"),
    *("Could not decode", "unsupported file format"),
)
# What SQLite may leave beside a file where a process is killed.
BESIDE = ("-wal", "-shm", "-journal")
# In SQLite's header: of a format above this it reads the file and doesn't write it.
_WRITTEN_AS, _KNOWN_FORMAT = 18, 2
# What a copy in memory may take, which is SQLite's own limit.
_MOST_IN_MEMORY = 2**30
# Less than SQLite's smallest files take.
_NOTHING = 2**17
_READS = 10
_Times = tuple[tuple[int, int] | None, ...]


class DamagedStore(InputError):
    """The store isn't what was written."""

    def __init__(self, path: Path, damage: str) -> None:
        self.damage = damage
        remedy = f"{resume_it(path.parent)} goes on from the last sound copy, where there is one"
        super().__init__(f"is damaged ({damage})", where=path, remedy=remedy)


class ReadOnlyStore(InputError):
    """The store can be read, and not written."""


class Connection(sqlite3.Connection):
    """A connection that knows its file."""

    path: Path
    # the file's number on its disk; of a copy in memory, when the file was written
    number: int | None = None
    taken: _Times | None = None

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
    """A connection that changes nothing in the run's folder (SQLite's own index of the log apart), and needs no right to.

    Where SQLite can't keep its index of the log beside the file (another's folder, a full disk), it reads a copy in memory of
    the file as it is now: `is_outdated` says when it no longer is.
    """
    connection = None
    try:
        with says_why(path):
            connection = _opened(path, f"{path.absolute().as_uri()}?mode=ro", uri=True)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.number = _number(path)
        return connection
    except (InputError, sqlite3.OperationalError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, DamagedStore):
            raise
    return _in_memory(path)


def is_outdated(connection: Connection) -> bool:
    """Whether the file has been put in the place of another, or a copy in memory is of a file that was written since."""
    if connection.number is None:
        return connection.taken not in (None, _times(connection.path)) and connection.path.exists()
    return _number(connection.path) not in (None, connection.number)


@contextmanager
def says_why(path: Path) -> Iterator[None]:
    """Says SQLite's errors about the file in one line."""
    try:
        yield
    except UnicodeDecodeError as error:
        # what SQLite itself says of a schema whose text is none
        raise DamagedStore(path, "a text in it isn't UTF-8") from error
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
    if kind == sqlite3.SQLITE_READONLY and has_unknown_format(path):
        return DamagedStore(path, "its header names a format that SQLite doesn't write")
    if kind in _UNUSABLE:
        unusable = ReadOnlyStore if kind == sqlite3.SQLITE_READONLY else InputError
        return unusable(f"can't be used ({error})", where=path, remedy="check the disk and the folder's permissions")
    if str(error).startswith(_NOT_OURS):
        return DamagedStore(path, str(error))
    return None


def has_unknown_format(path: Path) -> bool:
    """Whether SQLite reads the file, and would not write it, for what its header says."""
    try:
        with path.open("rb") as file:
            header = file.read(_WRITTEN_AS + 1)
    except OSError:
        return False
    return len(header) > _WRITTEN_AS and header[_WRITTEN_AS] > _KNOWN_FORMAT


def _opened(path: Path, address: Path | str, **options: bool) -> Connection:
    connection = sqlite3.connect(address, timeout=30, isolation_level=None, factory=Connection, **options)
    connection.path = path
    connection.row_factory = sqlite3.Row
    return connection


def _in_memory(path: Path) -> Connection:
    data, taken = _read(path)
    connection = _opened(path, ":memory:")
    try:
        with says_why(path):
            connection.deserialize(data)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    connection.taken = taken
    return connection


def _read(path: Path) -> tuple[bytes, _Times]:
    """The file with its log, and when both were written: read again where a job has written meanwhile."""
    try:
        for _ in range(_READS):
            before = _times(path)
            if sum(found[0] for found in before if found is not None) > _MOST_IN_MEMORY:
                raise InputError("is too large to be read in memory", where=path, remedy="check the folder's permissions")
            log = _bytes(_log_of(path))
            data = path.read_bytes()
            if _times(path) == before:
                return with_log(data, log), before
    except OSError as error:
        raise InputError(
            f"can't be read ({error.strerror})", where=error.filename or path, remedy="check its permissions"
        ) from error
    raise InputError("is being written", where=path, remedy="try again")


def _times(path: Path) -> _Times:
    """Size and time of the last change of a store and its log."""
    return tuple(_changed(file) for file in (path, _log_of(path)))


def _number(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def _changed(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
