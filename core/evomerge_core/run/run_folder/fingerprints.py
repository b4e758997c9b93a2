"""Whether a run's sources are those that it began with, by the sha256 of every file of theirs."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import read_bounded, require_few_values
from evomerge_core.run.run_folder.names import SOURCES


def check_unchanged(
    folder: Path, fingerprints: Mapping[str, Mapping[str, str]], *, added: bool = False, unused: Container[str] = ()
) -> None:
    """Refuses sources that are not byte for byte those that the run began with; `added`: and have a file more. Those that are
    `unused` may be anything: the run is done with them."""
    began = read_fingerprints(folder / SOURCES)
    for reference, files in began.items():
        if reference in unused:
            continue
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
        data = read_bounded(path, remedy=remedy)
        require_few_values(path, data, remedy=remedy)
        began = json.loads(data)
    except FileNotFoundError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy=remedy) from None
    except (ValueError, RecursionError):
        raise InputError("isn't JSON any more", where=path, remedy=remedy) from None
    if not isinstance(began, dict) or not all(isinstance(files, dict) for files in began.values()):
        raise InputError("doesn't hold the hashes of the sources any more", where=path, remedy=remedy)
    return began
