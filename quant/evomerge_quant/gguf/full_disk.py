"""Whether a full disk is why a worker could not write: libraries report that in many ways, or just crash."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.files.full_disk import SPARE_BYTES, FullDisk, free_bytes, full_disk

AGAIN_ELSEWHERE = "try again, or give another place with --out"


def full_disk_of(file: Path, needed: int) -> FullDisk | None:
    """The error for a file that a worker should have written, when its disk is full; None when it isn't.

    A failed write that leaves less room than small files take failed for want of room.
    """
    if free_bytes(file) >= SPARE_BYTES:
        return None
    return full_disk(file, needed, then=AGAIN_ELSEWHERE)
