"""Why a run is interrupted, as far as it can be seen afterwards."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.files.full_disk import SPARE_BYTES, free_bytes, full_disk, resume_it
from evomerge_core.run.store.facts import RunFacts
from evomerge_core.sources.stored.file_marks import FileMark, change_of, is_cut

# A job whose disk has less left could not even say so.
_NOTHING = 2**17


def message_of(folder: Path, state: str, facts: RunFacts) -> str | None:
    """Why a run failed, or what its job may have died of without a word; None where there is nothing to say.

    The system ends a process that reads a mapped file behind the place where somebody has cut it off.
    """
    if state != "interrupted":
        return facts.message
    for mark in (FileMark(*kept) for kept in facts.source_files):
        if is_cut(mark):
            return f"{mark.path}: {change_of(mark)} while the job ran; {restore_it(folder)}"
    if free_bytes(folder) < _NOTHING:
        return str(full_disk(folder, SPARE_BYTES, then=resume_it(folder)))
    return facts.message


def restore_it(folder: Path) -> str:
    """What to do about a source that changed under a job."""
    return f"restore it, then {resume_it(folder)}"
