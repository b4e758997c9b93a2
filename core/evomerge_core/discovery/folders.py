"""Models and adapters in local folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from evomerge_core.discovery.found import FoundModel, describe, is_model_folder

# A folder of models holds them itself, or sorted by owner or family.
_DEPTH = 3
_MOST = 2000


def find_in_folders(folders: Iterable[Path]) -> Iterator[FoundModel]:
    """Every model and adapter in these folders or a few levels below; skips hidden folders, folders that
    can't be read, and whatever is inside a model's folder."""
    seen: set[Path] = set()
    for folder in folders:
        for place in _model_folders(folder.expanduser(), _DEPTH):
            if place.resolve() not in seen and len(seen) < _MOST:
                seen.add(place.resolve())
                yield describe(place, str(place), "folder")


def _model_folders(folder: Path, depth: int) -> Iterator[Path]:
    if is_model_folder(folder):
        yield folder
        return
    if depth == 0:
        return
    try:
        below = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return
    for place in below:
        yield from _model_folders(place, depth - 1)
