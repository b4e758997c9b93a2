"""Which runs there are on this machine: those that were started here, and those that lie in a folder."""

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
    """Notes that a run was started, so that it is found again from anywhere."""
    _change(lambda known: [str(folder.absolute()), *(one for one in known if one != str(folder.absolute()))])


def forget(folder: Path) -> None:
    """Takes a run from the list; its folder stays."""
    _change(lambda known: [one for one in known if one != str(folder.absolute())])


def known_runs(*places: Path) -> tuple[Path, ...]:
    """The run folders that were started here and still exist, then those in `places` and two folders deep in them."""
    remembered = (Path(one) for one in _read(_path()) if (Path(one) / STORE).is_file())
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
        # a folder that can't be looked into holds no run of ours
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
        raise InputError(f"{path}: can't be written ({error.strerror}); make room or correct its rights") from error


def _read(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        known = json.loads(text)
    except ValueError:
        raise InputError(f"{path}: is not JSON; delete it, runs are found again when they are started") from None
    return [one for one in known if isinstance(one, str)] if isinstance(known, list) else []
