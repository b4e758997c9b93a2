"""Where exported files lie, and which of them a reference means. Nothing here loads torch."""

from __future__ import annotations

import re
from pathlib import Path

from evomerge_core.errors import InputError, known_names
from evomerge_core.files.path_text import on_command_line
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.run_folder.names import STORE, WINNER
from evomerge_quant.llama.mmproj_file import SUSPECT, is_mmproj

EXPORTS = "gguf"
_CANDIDATES = "candidates"
_NO_NAME = re.compile(r'[\s/\\:*?"<>|\x00-\x1f]')


def winner_exports(run: Path) -> Path:
    """The folder of the winner's GGUF files."""
    return run / WINNER / EXPORTS


def candidate_exports(run: Path, label: str) -> Path:
    """The folder of another candidate's GGUF files; the run's parents are candidates too.

    A parent is called as its recipe says: what would lead elsewhere, or be no name on some system, becomes a dash.
    """
    name = _NO_NAME.sub("-", label).strip(".") or "-"
    return run / _CANDIDATES / name / EXPORTS


def find_gguf(reference: Path) -> Path:
    """The file itself; for a run its winner's, for a model folder the one that was made of it.

    Of several the largest, which has lost least; never one that failed verification. InputError when there is none.
    """
    if not reference.is_dir():
        return reference
    places = [winner_exports(reference)] if (reference / STORE).is_file() else [reference, reference / EXPORTS]
    return _largest(places, reference, f"evomerge-tui export {on_command_line(reference)}")


def find_candidate(run: Path, label: str) -> Path:
    """A candidate's file, by its label: a parent's, say. InputError when there is no such candidate or no file of it."""
    store = read_store(run)
    labels = [candidate.label for candidate in store.candidates()]
    store.close()
    if label not in labels:
        problem = f"is neither a file nor a candidate of {run}"
        raise InputError(problem, where=f"--compare {label}", remedy=known_names(label, labels))
    command = f"evomerge-tui export {on_command_line(run)} --candidate {on_command_line(label)}"
    return _largest([candidate_exports(run, label)], f"{run}: {label}", command)


def _largest(places: list[Path], what: object, command: str) -> Path:
    files = [file for place in places for file in sorted(place.glob("*.gguf"))]
    found = [f for f in files if f.is_file() and SUSPECT not in f.name and not is_mmproj(f)]
    if not found:
        raise InputError(f"{what}: has no GGUF yet; make one with `{command}`")
    return max(found, key=lambda file: (file.stat().st_size, file.name))
