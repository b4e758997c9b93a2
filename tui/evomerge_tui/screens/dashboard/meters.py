"""What the machine does at the moment, as bars with their numbers; with their age when they are old."""

from __future__ import annotations

import time
from collections.abc import Iterator

from textual.content import Content
from textual.widgets import Static

from evomerge_tui.machine.machine import Machine
from evomerge_tui.text.quantities import amount, duration, percent
from evomerge_tui.text.shown_text import one_line

_BAR = 12
_OLD_SECONDS = 10


class Meters(Static):
    """A line a meter."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._machine: Machine | None = None

    def show(self, machine: Machine) -> None:
        """Other numbers."""
        self._machine = machine
        self.tick()

    def tick(self) -> None:
        """Draws again, for the age."""
        if self._machine is not None:
            self.update(Content("\n").join(_lines(self._machine, time.time())))


def _lines(machine: Machine, now: float) -> Iterator[Content]:
    yield _line("CPU", machine.busy, f"{percent(machine.busy, 0)} of {machine.cores} cores")
    yield _line("RAM", machine.ram_used / machine.ram_total, f"{amount(machine.ram_used)} of {amount(machine.ram_total)}")
    for gpu in machine.gpus:
        if gpu.busy is not None:
            yield _line("GPU", gpu.busy, f"{percent(gpu.busy, 0)} {one_line(gpu.name, 30)}")
        yield _line("VRAM", gpu.used / gpu.total, f"{amount(gpu.used)} of {amount(gpu.total)}")
    if now - machine.at > _OLD_SECONDS:
        yield Content.styled(f"as of {duration(now - machine.at)} ago", "$warning")


def _line(name: str, share: float, text: str) -> Content:
    cells = round(max(0.0, min(1.0, share)) * _BAR)
    return Content.assemble(
        (f"{name:<5}", "$text-muted"), ("█" * cells, "$primary"), ("░" * (_BAR - cells), "$border-blurred"), f" {text}"
    )
