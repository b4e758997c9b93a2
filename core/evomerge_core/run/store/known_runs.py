"""The runs on this machine: those that were started here, and those in given folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock
from platformdirs import user_state_path

from evomerge_core.errors import InputError
from evomerge_core.run.store.folder import STORE

_FILE = "runs.json"
_DEEPEST = 2


def remember(folder: Path) -> None:
    """Adds a run to the list, so that it is found from anywhere."""
    _change(lambda known: [str(folder.absolute()), *(run for run in known if run != str(folder.absolute()))])


def forget(folder: Path) -> None:
    """Removes a run from the list; its folder stays."""
    _change(lambda known: [run for run in known if run != str(folder.absolute())])


def known_runs(*places: Path) -> tuple[Path, ...]:
    """The run folders that were started here and still exist, then those in `places` and two folders deep in them."""
    remembered = (Path(run) for run in _read(_path()) if (Path(run) / STORE).is_file())
    found = (run.absolute() for place in places for run in _within(place, _DEEPEST))
    return tuple(dict.fromkeys((*remembered, *found)))


def _within(place: Path, depth: int) -> Iterable[Path]:
    if (place / STORE).is_file():
        yield place
        return
    if depth == 0:
        return
    try:
        inner = sorted(entry.path for entry in os.scandir(place) if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        # a folder that can't be read holds no run of ours
        return
    for path in inner:
        yield from _within(Path(path), depth - 1)


def _path() -> Path:
    return user_state_path("evomerge-tui", appauthor=False) / _FILE


def _change(change: Callable[[list[str]], list[str]]) -> None:
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            part = path.with_suffix(".part")
            part.write_text(json.dumps(change(_read(path)), indent=1) + "\n", encoding="utf-8")
            part.replace(path)
    except OSError as error:
        remedy = "free some space or fix its permissions"
        raise InputError(f"can't be written ({error.strerror})", where=path, remedy=remedy) from error


def _read(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        known = json.loads(text)
    except ValueError:
        remedy = "delete it; runs are listed again when they are started or resumed"
        raise InputError("is not JSON", where=path, remedy=remedy) from None
    return [run for run in known if isinstance(run, str)] if isinstance(known, list) else []
