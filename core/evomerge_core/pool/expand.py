"""From what a person writes under `pool` to single models and adapters: folders, patterns of folders, and hub ids."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from evomerge_core.discovery.folders import find_in_folders
from evomerge_core.errors import InputError
from evomerge_core.files.path_text import written_path
from evomerge_core.sources.confinement import absolute_path, absolute_reference
from evomerge_core.sources.resolve import split_reference

_PATTERN = frozenset("*?[")


def expand(entries: Sequence[str], *, base: str, folder: Path) -> tuple[str, ...]:
    """The references of all models and adapters that the entries name, each once, in the entries' order.

    An entry is a model's or an adapter's folder, a folder that holds some at most three levels below, a pattern of such
    folders (`*`, `?`, `[]`), a hub id, or `model+adapter`. Relative paths start from `folder`; an adapter's folder becomes
    `base+adapter`. Raises InputError for an entry that names nothing.
    """
    found = (reference for entry in entries for reference in _expanded(entry, base, folder))
    return tuple(dict.fromkeys(found))


def named_by(entry: str, folder: Path) -> tuple[str, ...]:
    """An entry that somebody gave in another folder than the recipe's: absolute, its pattern worked out."""
    if _is_pattern(entry, folder):
        return tuple(str(folder / place) for place in _matches(entry, folder)) or (entry,)
    model, adapter = split_reference(entry, folder)
    return ("+".join(_absolute(part, folder) for part in ((model,) if adapter is None else (model, adapter))),)


def is_adapter_folder(place: Path) -> bool:
    """Whether a folder holds an adapter without a model."""
    return (place / "adapter_config.json").is_file() and not (place / "config.json").is_file()


def distinct_names(references: Sequence[str]) -> tuple[str, ...]:
    """A name for each reference: the last part of its path or id, with the part before it where two would be called alike."""
    paths = [PurePath(reference.rpartition("+")[2].replace("\\", "/")) for reference in references]
    names: list[str] = []
    for path in paths:
        alike = sum(other.name == path.name for other in paths) > 1
        wanted = "/".join(path.parts[-2:]) if alike else path.name
        number, name = 2, wanted
        while name in names:
            name, number = f"{wanted} {number}", number + 1
        names.append(name)
    return tuple(names)


def _expanded(entry: str, base: str, folder: Path) -> Iterator[str]:
    model, adapter = split_reference(entry, folder)
    if adapter is not None:
        yield absolute_reference(entry, folder)
        return
    if _is_pattern(model, folder):
        places = [absolute_path(place, folder) for place in _matches(model, folder)]
        found = [reference for place in places for reference in _in_folder(place, base)]
        yield from _some(found, entry)
        return
    reference = absolute_reference(model, folder)
    place = Path(reference)
    if place.is_absolute() and place.is_dir():
        yield from _some(list(_in_folder(place, base)), entry)
    else:
        yield reference


def _is_pattern(entry: str, folder: Path) -> bool:
    return bool(_PATTERN & set(entry)) and not (folder / written_path(entry)).exists()


def _matches(pattern: str, folder: Path) -> list[str]:
    """The folders that a pattern names, sorted; relative ones as they are written."""
    # pathlib's own has no patterns that begin at the root
    places = sorted(glob.glob(str(written_path(pattern)), root_dir=folder))  # noqa: PTH207
    return [place for place in places if (folder / place).is_dir()]


def _absolute(part: str, folder: Path) -> str:
    place = folder / written_path(part)
    return str(place) if place.exists() else part


def _some(found: Sequence[str], entry: str) -> Sequence[str]:
    if not found:
        remedy = "name a folder with a config.json or adapter_config.json in it or below, or a hub id (owner/name)"
        raise InputError("no model or adapter is there", where=f"pool: {entry}", remedy=remedy)
    return found


def _in_folder(place: Path, base: str) -> Iterator[str]:
    for found in find_in_folders([place]):
        yield f"{base}+{found.reference}" if is_adapter_folder(Path(found.reference)) else found.reference
