"""Whether a full disk is why a worker could not write: libraries report that in many ways, or just crash."""

from __future__ import annotations

import shutil
from pathlib import Path

# A failed write that leaves less room than this failed for want of room.
_SPARE_BYTES = 16 * 2**20


def no_space_line(folder: Path) -> str | None:
    """The error message when the folder's disk is full; None when it isn't."""
    if shutil.disk_usage(folder).free >= _SPARE_BYTES:
        return None
    return f"{folder}: no space left on the disk; free some, or give another place with --out"
