"""How many cores a process may use, in containers as the kernel's documentation writes their files."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from evomerge_quant.planning.machine import cores
from evomerge_quant.planning.machine.cores import usable_cores


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 16 cores, without a container; the folder of control groups."""
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 32 if logical else 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(32)), raising=False)
    monkeypatch.setattr(cores, "CONTROL_GROUP", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("machine")
def test_without_limits_it_is_the_physical_ones() -> None:
    assert usable_cores() == 16


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000", 16), ("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1), ("9900000 100000", 16), ("", 16)],
)
def test_a_container_s_quota(machine: Path, text: str, expected: int) -> None:
    (machine / "cpu.max").write_text(text)
    assert usable_cores() == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 16), ("300000", 3)])
def test_a_quota_of_the_first_version(machine: Path, quota: str, expected: int) -> None:
    (machine / "cpu").mkdir()
    (machine / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (machine / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores() == expected


@pytest.mark.usefixtures("machine")
def test_a_process_that_is_kept_to_some_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert usable_cores() == 2
