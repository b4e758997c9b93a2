"""The run folder: `recipe.yaml`, `sources.json`, `run.db`, `job.lock`, `job.log`, `winner/`."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Unpack

from filelock import FileLock, Timeout

from evomerge_core.errors import InputError
from evomerge_core.files.durable import flush_file, rename
from evomerge_core.files.full_disk import SPARE_BYTES, full_disk, is_full, resume_it
from evomerge_core.files.private import make_private_folder, private_files
from evomerge_core.run.store.facts import Changes, write_facts
from evomerge_core.run.store.store import Store

RECIPE = "recipe.yaml"
SOURCES = "sources.json"
STORE = "run.db"
# The last sound copy of the store, and where a damaged one is kept.
COPY = "run.copy.db"
DAMAGED = "run.damaged.db"
LOCK = "job.lock"
LOG = "job.log"
WINNER = "winner"
RESULT = "result.json"
# What the store is called while a run folder is made: it is made first and gets its name last, and what lies beside it until
# then is no run yet.
_NEW = ".new.db"
_MADE = (RECIPE, SOURCES, f"{_NEW}-wal", f"{_NEW}-shm", _NEW)


def require_empty(folder: Path) -> None:
    """Refuses a folder that holds anything, but for what is left where a run could not be made to its end."""
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file", where=folder, remedy="name a folder that is new or empty")
    if folder.is_dir() and not {entry.name for entry in folder.iterdir()} <= _left_over(folder):
        remedy = "name a new folder, or continue the run in it with `evomerge-tui resume`"
        raise InputError("is not empty", where=folder, remedy=remedy)


def require_writable(folder: Path) -> None:
    """Refuses a folder that couldn't be made or written, as far as permissions tell; nothing is written to find out."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "Permission denied" if there.is_dir() else f"{there} is no folder"
        raise InputError(f"the run folder can't be written ({why})", where=folder, remedy="name another with --out")


def create_folder(folder: Path, recipe: str, fingerprints: Mapping[str, Mapping[str, str]], **facts: Unpack[Changes]) -> None:
    """Makes a run folder with its frozen recipe (YAML), the sha256 of every source file, and its first facts; no job runs
    yet. It is made whole; what a killed attempt left is made anew."""
    require_empty(folder)
    is_new = not folder.exists()
    try:
        make_private_folder(folder)
        with private_files(), hold(folder):
            require_empty(folder)
            try:
                _fill(folder, recipe, json.dumps(fingerprints, indent=2) + "\n", facts)
            except BaseException:
                _sweep(folder)
                raise
    except (OSError, InputError) as error:
        if is_new:
            _remove_empty(folder)
        if is_full(error):
            raise full_disk(folder, SPARE_BYTES, then="start the run again") from error
        if isinstance(error, InputError):
            raise
        problem = f"the run folder can't be written ({error.strerror})"
        raise InputError(problem, where=folder, remedy="name another with --out") from error


def _fill(folder: Path, recipe: str, fingerprints: str, facts: Changes) -> None:
    _sweep(folder)
    store = Store(folder / _NEW, create=True)
    try:
        first: Changes = {"state": "created", **facts}
        write_facts(store, **first)
    finally:
        store.close()
    for name, text in ((RECIPE, recipe), (SOURCES, fingerprints)):
        (folder / name).write_text(text, encoding="utf-8")
    for name in (RECIPE, SOURCES, _NEW):
        flush_file(folder / name)
    rename(folder / _NEW, folder / STORE)


def _left_over(folder: Path) -> set[str]:
    """What an unfinished run folder may hold."""
    unfinished = (folder / _NEW).is_file() and not (folder / STORE).exists()
    return {LOCK, *_MADE} if unfinished else {LOCK}


def _sweep(folder: Path) -> None:
    for name in _MADE if _NEW in _left_over(folder) else ():
        (folder / name).unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        if {entry.name for entry in folder.iterdir()} == {LOCK}:
            (folder / LOCK).unlink()
        folder.rmdir()


def open_store(folder: Path, *, keeps_copies: bool = False) -> Store:
    """The store of an existing run, to write; with `keeps_copies` its `keep_copy` makes the copy that `recovery` takes."""
    return Store(_store_of(folder), copy=folder / COPY if keeps_copies else None)


def read_store(folder: Path) -> Store:
    """The store of an existing run, to read: nothing in the folder is changed, and it may be another's."""
    return Store(_store_of(folder), read_only=True)


def require_run(folder: Path) -> None:
    """Refuses a folder that holds neither a run's store nor a copy of one."""
    if not (folder / COPY).is_file():
        _store_of(folder)


def _store_of(folder: Path) -> Path:
    if (folder / STORE).is_file():
        return folder / STORE
    if (folder / COPY).is_file():
        remedy = f"{resume_it(folder)} goes on from the last copy of it"
        raise InputError("is missing", where=folder / STORE, remedy=remedy)
    problem = f"is not a run folder ({STORE} is missing)"
    raise InputError(problem, where=folder, remedy="name the folder that `run` printed")


def check_unchanged(folder: Path, fingerprints: Mapping[str, Mapping[str, str]], *, added: bool = False) -> None:
    """Refuses sources that are not byte for byte those that the run began with; `added`: and have a file more."""
    began = read_fingerprints(folder / SOURCES)
    for reference, files in began.items():
        for file, digest in files.items():
            if fingerprints.get(reference, {}).get(file) != digest:
                raise _changed(file, f"changed since the run began (source {reference})")
    for reference, present in fingerprints.items():
        if reference not in began:
            remedy = "restore it from a copy, or start a new run"
            raise InputError(f"has no hashes of the source {reference}", where=folder / SOURCES, remedy=remedy)
        for file in present if added else ():
            if file not in began[reference]:
                raise _changed(file, f"is new since the run began (source {reference})", "remove it")


def _changed(file: str, problem: str, remedy: str = "restore it") -> InputError:
    return InputError(problem, where=file, remedy=f"{remedy}, or start a new run")


def read_fingerprints(path: Path) -> dict[str, dict[str, str]]:
    """The sha256 of every source file by reference and name, as the run began; InputError when the file is damaged."""
    remedy = "restore it from a copy, or start a new run"
    try:
        began = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy=remedy) from None
    except ValueError:
        raise InputError("isn't JSON any more", where=path, remedy=remedy) from None
    if not isinstance(began, dict) or not all(isinstance(files, dict) for files in began.values()):
        raise InputError("doesn't hold the hashes of the sources any more", where=path, remedy=remedy)
    return began


def hold(folder: Path) -> AbstractContextManager[object]:
    """The run's lock, held by the one job; refused when another job holds it."""
    lock = FileLock(folder / LOCK)
    try:
        # `is_held` holds the lock for a moment only, a job for long
        return lock.acquire(timeout=2.0, poll_interval=0.02)
    except Timeout:
        remedy = f"see `evomerge-tui status {folder}`"
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
