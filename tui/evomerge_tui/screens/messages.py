"""What workers send to the screens; screens alone touch widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from evomerge_core.run.view.overview import RunOverview
    from evomerge_tui.machine.machine import Machine


@dataclass
class RunsRead(Message):
    """All known runs, newest first."""

    runs: tuple[RunOverview, ...]


@dataclass
class ReadingFailed(Message):
    """Why a run can't be read; the screen keeps what it has and shows its age."""

    reason: str


@dataclass
class MachineRead(Message):
    """What this machine does at the moment."""

    machine: Machine
