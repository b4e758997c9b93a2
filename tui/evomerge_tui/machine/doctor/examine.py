"""All checks in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evomerge_tui.machine.doctor.check import Check
from evomerge_tui.machine.doctor.libraries import library_checks
from evomerge_tui.machine.doctor.surroundings import hub_checks, machine_checks, terminal_checks, writable_check
from evomerge_tui.machine.machine import read_machine


def examine(folder: Path) -> Iterator[Check]:
    """Runs all checks, quick ones first; loads torch and llama.cpp, and contacts the hub once."""
    machine = read_machine(folder)
    yield from machine_checks(machine)
    yield writable_check(folder)
    yield from terminal_checks()
    yield from library_checks(has_card=bool(machine.gpus))
    yield from hub_checks()
