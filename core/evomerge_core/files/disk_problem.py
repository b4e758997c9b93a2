"""What a disk refuses, wherever it does, in one line."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.full_disk import AGAIN, SPARE_BYTES, full_disk, is_full

_CHECK = ("can't be read or written", "check the disk and its permissions")
# What the system says, and what to do. The disk is broken or gone, may only be read, or its files are others', in use or have a
# limit of size; something else lies in the place of a file; there is no more room for open files, or for a mapped one.
_REFUSALS: Mapping[int, tuple[str, str]] = {
    **dict.fromkeys((errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EBUSY), _CHECK),
    **dict.fromkeys((errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.ENOTCONN), _CHECK),
    **dict.fromkeys((errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY), ("is in the way", "move it away")),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), ("can't be opened", "allow more open files (`ulimit -n 4096`)")),
    errno.ENOMEM: ("can't be read or written", "free some memory"),
}
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
# What the system says of a path that no file can have.
_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)
# What Python says where neither /tmp nor its like takes a file, as on a full disk; torch asks for one when it is loaded.
_NOWHERE = "No usable temporary directory"
_LONGEST = 100  # characters of a path in a line


def disk_problem(error: Exception, at: str | Path, *, then: str = AGAIN) -> InputError | None:
    """The error for what a disk refused, at the file that `error` names or else `at`; None for one that has other reasons.

    `then` is what to do once the disk is mended.
    """
    named = getattr(error, "filename", None) or at
    if is_full(error):
        return full_disk(Path(named), SPARE_BYTES, then=then)
    if isinstance(error, FileNotFoundError) and _NOWHERE in _reason(error):
        return InputError("no temporary folder can be written", remedy="make room in one, or name another by TMPDIR")
    code = error.errno if isinstance(error, OSError) else None
    if code in _PATH:
        return InputError(f"can't be a path ({_reason(error)})", where=_shortened(str(named)), remedy="give another")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED:
        return InputError(f"can't be used ({error})", where=named, remedy="end the other program that has the store open")
    if code is None or code not in _REFUSALS or isinstance(error, ConnectionError):
        return None
    problem, remedy = _REFUSALS[code]
    place = getattr(error, "filename2", None) or named
    remedy += "" if then == AGAIN else f", then {then}"
    return InputError(f"{problem} ({_reason(error)})", where=place, remedy=remedy)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _shortened(name: str) -> str:
    return name if len(name) < _LONGEST else f"{name[: _LONGEST - 3]}..."
