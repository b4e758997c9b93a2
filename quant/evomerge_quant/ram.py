"""How much RAM is available, within the limits of a container; nothing here loads torch."""

from __future__ import annotations

from pathlib import Path

import psutil

CONTROL_GROUP = Path("/sys/fs/cgroup")
# The limit, and what is used of it: of control groups of the second version, and of the first, whose memory has a folder.
_FILES = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def available_ram() -> int:
    """Bytes of RAM that are free, within the container's limit."""
    free, group = int(psutil.virtual_memory().available), _group()
    return free if group is None else min(free, max(0, group[0] - group[1]))


def total_ram() -> int:
    """Bytes of RAM that this process could ever have: the machine's, or the container's limit."""
    total, group = int(psutil.virtual_memory().total), _group()
    return total if group is None else min(total, group[0])


def _group() -> tuple[int, int] | None:
    """The control group's limit in bytes, and what is used of it; None without a limit."""
    for limit, used in _FILES:
        try:
            text = (CONTROL_GROUP / limit).read_text().strip()
            # the first version says a number beyond every machine where there is no limit
            return None if text == "max" else (int(text), int((CONTROL_GROUP / used).read_text().strip()))
        except (OSError, ValueError):
            continue
    return None
