"""How much RAM is available, within the limits of a container; nothing here loads torch."""

from __future__ import annotations

from pathlib import Path

import psutil

CONTROL_GROUP = Path("/sys/fs/cgroup")


def available_ram() -> int:
    """Bytes of RAM that are free, within the container's limit."""
    limit = _limit()
    free = int(psutil.virtual_memory().available)
    return free if limit is None else min(free, max(0, limit - _number("memory.current")))


def total_ram() -> int:
    """Bytes of RAM that this process could ever have: the machine's, or the container's limit."""
    limit = _limit()
    total = int(psutil.virtual_memory().total)
    return total if limit is None else min(total, limit)


def _limit() -> int | None:
    """The limit of the control group (cgroup v2); None without one."""
    try:
        text = (CONTROL_GROUP / "memory.max").read_text().strip()
    except OSError:
        return None
    return None if text == "max" else int(text)


def _number(name: str) -> int:
    return int((CONTROL_GROUP / name).read_text().strip())
