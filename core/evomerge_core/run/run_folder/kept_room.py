"""Room that a job keeps on the disk, so that it can still say that the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from evomerge_core.files.full_disk import SPARE_BYTES, needs_room, resume_it

ROOM = "job.room"
_BYTES = 2**18


def keep_room(folder: Path) -> None:
    """Takes the room in a run's folder. Raises FullDisk when there is none."""
    with needs_room(folder, SPARE_BYTES, then=resume_it(folder)):
        # a file system that compresses would keep no room for zeros
        (folder / ROOM).write_bytes(os.urandom(_BYTES))


def give_room(folder: Path) -> None:
    """Gives the room back."""
    with suppress(OSError):
        (folder / ROOM).unlink(missing_ok=True)
