"""The runs on this machine: those that were started here, and those in given folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock
from platformdirs import user_state_path

from evomerge_core.errors import InputError
from evomerge_core.files.durable import write_whole
from evomerge_core.files.full_disk import SPARE_BYTES, full_disk, is_full
from evomerge_core.run.run_folder.names import STORE

_FILE = "runs.json"
_DEEPEST = 2


def remember(folder: Path) -> None:
    """Adds a run to the list, so that it is found from anywhere."""
    _change(lambda known: [str(folder.absolute()), *(run for run in known if run != str(folder.absolute()))])


def forget(folder: Path) -> None:
    """Removes a run from the list; its folder stays."""
    _change(lambda known: [run for run in known if run != str(folder.absolute())])


def known_runs(*places: Path) -> tuple[Path, ...]:
    """The run folders that were started here and still exist, then those in `places` and two folders deep in them.

    A list that can't be read, which `require_list` says, has no runs.
    """
    try:
        listed = _read(_path())
    except InputError:
        listed = []
    remembered = (Path(run) for run in listed if _is_run(Path(run)))
    found = (run.absolute() for place in places for run in _within(place, _DEEPEST))
    return tuple(dict.fromkeys((*remembered, *found)))


def require_list() -> None:
    """Raises `InputError` where the list of runs can't be read."""
    _read(_path())


def _is_run(folder: Path) -> bool:
    try:
        return (folder / STORE).is_file()
    except OSError:
        # in a folder that isn't ours to look into
        return False


def _within(place: Path, depth: int) -> Iterable[Path]:
    if _is_run(place):
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
            write_whole(path, json.dumps(change(_read(path)), indent=1) + "\n")
    except OSError as error:
        if is_full(error):
            raise full_disk(path, SPARE_BYTES) from error
        raise InputError(f"can't be written ({error.strerror})", where=path, remedy="fix its permissions") from error


def _read(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy="fix its permissions") from None
    except UnicodeDecodeError:
        text = ""
    try:
        known = json.loads(text)
    except (ValueError, RecursionError):
        known = None
    if not isinstance(known, list):
        remedy = "delete it; runs are listed again when they are started or resumed"
        raise InputError("isn't a list of runs any more", where=path, remedy=remedy)
    return [run for run in known if isinstance(run, str)]
