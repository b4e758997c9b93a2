"""The run folder: `recipe.yaml`, `sources.json`, `run.db`, `job.lock`, `job.log`, `winner/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout

from evomerge_core.errors import InputError
from evomerge_core.run.store.facts import write_facts
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


def create_folder(folder: Path, recipe: str, fingerprints: Mapping[str, Mapping[str, str]]) -> None:
    """Makes a run folder with its frozen recipe (YAML) and the sha256 of every source file; no job runs yet."""
    require_empty(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECIPE).write_text(recipe, encoding="utf-8")
        (folder / SOURCES).write_text(json.dumps(fingerprints, indent=2) + "\n", encoding="utf-8")
        store = Store(folder / STORE, create=True)
    except OSError as error:
        raise InputError(f"{folder}: the run folder can't be written ({error.strerror}); name another with --out") from error
    write_facts(store, state="created")
    store.close()


def open_store(folder: Path) -> Store:
    """The store of an existing run."""
    if not (folder / STORE).is_file():
        raise InputError(f"{folder}: is not a run folder ({STORE} is missing); name the folder that `run` printed")
    return Store(folder / STORE)


def check_unchanged(folder: Path, fingerprints: Mapping[str, Mapping[str, str]]) -> None:
    """Refuses to go on with sources that are not byte for byte those that the run began with."""
    began: dict[str, dict[str, str]] = json.loads((folder / SOURCES).read_text(encoding="utf-8"))
    for reference, files in began.items():
        for file, digest in files.items():
            if fingerprints.get(reference, {}).get(file) != digest:
                raise InputError(f"{file}: changed since the run began (source {reference}); restore it, or start a new run")


def hold(folder: Path) -> AbstractContextManager[object]:
    """The run's lock, held by the one job; refused when another job holds it."""
    lock = FileLock(folder / LOCK)
    try:
        # a look by `is_held` is over in no time, a job is not
        return lock.acquire(timeout=2.0, poll_interval=0.02)
    except Timeout:
        raise InputError(f"{folder}: a job is at work on this run already; see `evomerge-tui status {folder}`") from None


def is_held(folder: Path) -> bool:
    """Whether a job is alive. The lock goes with its process, whatever ended it."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0.05, poll_interval=0.01)
    except Timeout:
        return True
    lock.release()
    return False
