"""The run folder, made and opened: `recipe.yaml`, `sources.json`, `run.db`, `job.lock`, `job.log`, `winner/`."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Unpack

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import other_than_file
from evomerge_core.files.durable import flush_file, rename
from evomerge_core.files.full_disk import SPARE_BYTES, full_disk, is_full, resume_it
from evomerge_core.files.private import make_private_folder, private_files
from evomerge_core.run.run_folder.lock import hold
from evomerge_core.run.run_folder.names import COPY, LOCK, RECIPE, SOURCES, STORE
from evomerge_core.run.store.connection import BESIDE
from evomerge_core.run.store.facts import Changes, write_facts
from evomerge_core.run.store.store import ANSWERS, Store

# What the store is called while a run folder is made: it is made first and gets its name last, and what lies beside it until
# then is no run yet.
_NEW = ".new.db"
_MADE = (RECIPE, SOURCES, *(f"{_NEW}{ending}" for ending in BESIDE), _NEW)


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


def require_sound_store(folder: Path, *, most_bytes: float = math.inf) -> None:
    """Looks through an existing run's store: raises DamagedStore where it isn't what was written. Of a store with more than
    `most_bytes` the answers to single items, which are most of it, are left out."""
    with closing(read_store(folder)) as store:
        store.require_sound(but=() if _store_of(folder).stat().st_size <= most_bytes else ANSWERS)


def require_run(folder: Path) -> None:
    """Refuses a folder that holds neither a run's store nor a copy of one."""
    if not (folder / COPY).is_file():
        _store_of(folder)


def _store_of(folder: Path) -> Path:
    if (folder / STORE).is_file():
        return folder / STORE
    other = other_than_file(folder / STORE)
    if other:
        then = f", then {resume_it(folder)}" if (folder / COPY).is_file() else ""
        raise InputError(f"is {other}; a run has a file of that name", where=folder / STORE, remedy=f"move it away{then}")
    if (folder / COPY).is_file():
        remedy = f"{resume_it(folder)} goes on from the last copy of it"
        raise InputError("is missing", where=folder / STORE, remedy=remedy)
    problem = f"is not a run folder ({STORE} is missing)"
    raise InputError(problem, where=folder, remedy="name the folder that `run` printed")
