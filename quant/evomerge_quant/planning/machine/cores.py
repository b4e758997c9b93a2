"""How many of the machine's cores this process may use, within the limits of a container."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

CONTROL_GROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Physical cores, or fewer where the process is kept to some of them, or a container has the time of fewer; at least 1."""
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(1, int(min(physical, allowed, _quota())))


def _quota() -> float:
    """How many cores' time the control group has; infinite without a limit."""
    for read in (_second_version, _first_version):
        try:
            microseconds, of = read()
            return microseconds / of if microseconds > 0 < of else float("inf")
        except (OSError, ValueError):
            continue
    return float("inf")


def _second_version() -> tuple[float, float]:
    quota, period = (CONTROL_GROUP / "cpu.max").read_text().split()
    return (float("inf") if quota == "max" else int(quota)), int(period)


def _first_version() -> tuple[float, float]:
    """-1 is no limit."""
    folder = CONTROL_GROUP / "cpu"
    return int((folder / "cpu.cfs_quota_us").read_text()), int((folder / "cpu.cfs_period_us").read_text())
