"""The run folder: `recipe.yaml`, `sources.json`, `run.db`, `job.lock`, `job.log`, `winner/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Unpack

from filelock import FileLock, Timeout

from evomerge_core.errors import InputError
from evomerge_core.run.store.facts import Changes, write_facts
from evomerge_core.run.store.store import Store

RECIPE = "recipe.yaml"
SOURCES = "sources.json"
STORE = "run.db"
LOCK = "job.lock"
LOG = "job.log"
WINNER = "winner"
RESULT = "result.json"


def require_empty(folder: Path) -> None:
    """Refuses a folder that holds anything."""
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file", where=folder, remedy="name a folder that is new or empty")
    if folder.is_dir() and any(folder.iterdir()):
        remedy = "name a new folder, or continue the run in it with `evomerge-tui resume`"
        raise InputError("is not empty", where=folder, remedy=remedy)


def create_folder(folder: Path, recipe: str, fingerprints: Mapping[str, Mapping[str, str]], **facts: Unpack[Changes]) -> None:
    """Makes a run folder with its frozen recipe (YAML), the sha256 of every source file, and its first facts; no job runs
    yet."""
    require_empty(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECIPE).write_text(recipe, encoding="utf-8")
        (folder / SOURCES).write_text(json.dumps(fingerprints, indent=2) + "\n", encoding="utf-8")
        store = Store(folder / STORE, create=True)
    except OSError as error:
        problem = f"the run folder can't be written ({error.strerror})"
        raise InputError(problem, where=folder, remedy="name another with --out") from error
    write_facts(store, **{"state": "created", **facts})
    store.close()


def open_store(folder: Path) -> Store:
    """The store of an existing run."""
    if not (folder / STORE).is_file():
        problem = f"is not a run folder ({STORE} is missing)"
        raise InputError(problem, where=folder, remedy="name the folder that `run` printed")
    return Store(folder / STORE)


def check_unchanged(folder: Path, fingerprints: Mapping[str, Mapping[str, str]], *, added: bool = False) -> None:
    """Refuses sources that are not byte for byte those that the run began with; `added`: and have a file more."""
    began = _read_fingerprints(folder / SOURCES)
    for reference, files in began.items():
        for file, digest in files.items():
            if fingerprints.get(reference, {}).get(file) != digest:
                raise _changed(file, f"changed since the run began (source {reference})")
    for reference, files in fingerprints.items():
        if reference not in began:
            remedy = "restore it from a copy, or start a new run"
            raise InputError(f"has no hashes of the source {reference}", where=folder / SOURCES, remedy=remedy)
        for file in files if added else ():
            if file not in began[reference]:
                raise _changed(file, f"is new since the run began (source {reference})", "remove it")


def _changed(file: str, problem: str, remedy: str = "restore it") -> InputError:
    return InputError(problem, where=file, remedy=f"{remedy}, or start a new run")


def _read_fingerprints(path: Path) -> dict[str, dict[str, str]]:
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


def is_held(folder: Path) -> bool:
    """Whether a job is alive: the lock ends with its process, however that ended."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0.05, poll_interval=0.01)
    except Timeout:
        return True
    lock.release()
    return False
