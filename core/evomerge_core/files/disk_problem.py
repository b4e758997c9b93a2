"""What a disk refuses, wherever it does, in one line."""

from __future__ import annotations

import errno
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.full_disk import AGAIN, SPARE_BYTES, full_disk, is_full

# What a disk says that is broken, may only be read, or whose files are others' or have a limit of size.
_DISK = (errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
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
    if code not in _DISK:
        return None
    remedy = "check the disk and its permissions" + ("" if then == AGAIN else f", then {then}")
    return InputError(f"can't be read or written ({_reason(error)})", where=named, remedy=remedy)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _shortened(name: str) -> str:
    return name if len(name) < _LONGEST else f"{name[: _LONGEST - 3]}..."
