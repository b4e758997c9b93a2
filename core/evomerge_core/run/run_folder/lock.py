"""The lock of a run: held by its one job, and free again however that ends."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout

from evomerge_core.errors import InputError
from evomerge_core.files.full_disk import SPARE_BYTES, full_disk, is_full, resume_it
from evomerge_core.files.path_text import on_command_line
from evomerge_core.run.run_folder.names import LOCK


def hold(folder: Path) -> AbstractContextManager[object]:
    """The run's lock, held by the one job; refused when another job holds it."""
    lock = FileLock(folder / LOCK)
    try:
        # `is_held` holds the lock for a moment only, a job for long
        return lock.acquire(timeout=2.0, poll_interval=0.02)
    except Timeout:
        remedy = f"see `evomerge-tui status {on_command_line(folder)}`"
        raise InputError("a job is already running here", where=folder, remedy=remedy) from None
    except OSError as error:
        if is_full(error):
            raise full_disk(folder / LOCK, SPARE_BYTES, then=resume_it(folder)) from error
        problem = f"can't be written ({error.strerror})"
        raise InputError(problem, where=folder / LOCK, remedy="fix the folder's permissions") from error


def is_held(folder: Path) -> bool:
    """Whether a job is alive: the lock ends with its process, however that ended. Nothing is written for it."""
    if not (folder / LOCK).exists():
        return False
    return _is_locked(folder / LOCK)


if sys.platform == "win32":

    def _is_locked(file: Path) -> bool:
        lock = FileLock(file)
        try:
            lock.acquire(timeout=0.05, poll_interval=0.01)
        except Timeout:
            return True
        lock.release()
        return False

else:
    import fcntl

    def _is_locked(file: Path) -> bool:
        """By a lock that readers share, which needs no right to write."""
        try:
            handle = os.open(file, os.O_RDONLY)
        except OSError:
            # another's, or just removed: nothing that this user could have started
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in (errno.EACCES, errno.EAGAIN)
        finally:
            os.close(handle)
        return False
