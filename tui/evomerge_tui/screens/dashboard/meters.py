"""What the machine does at the moment, as bars with their numbers, and its last minute; with their age when they are old."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from textual.content import Content
from textual.widgets import Static

from evomerge_tui.machine.machine import Machine
from evomerge_tui.text.quantities import amount, duration, percent
from evomerge_tui.text.shown_text import one_line

_BAR = 6
_OLD_SECONDS = 10
# The last minute, in cells of so many seconds.
_SECONDS, _CELLS = 5.0, 12
_HEIGHTS = "▁▂▃▄▅▆▇█"


class LastMinute:
    """What meters showed within the last minute, by name; a cell shows the most that was seen in its seconds."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[float, float]]] = {}

    def add(self, at: float, shares: Mapping[str, float]) -> None:
        """Values in 0..1 at a time, unix seconds."""
        for name, share in shares.items():
            kept = [one for one in self._seen.get(name, ()) if at - one[0] < _SECONDS * _CELLS]
            self._seen[name] = [*kept, (at, share)]

    def cells(self, name: str, now: float) -> str:
        """Oldest first, a blank where nothing was seen."""
        most: dict[int, float] = {}
        for at, share in self._seen.get(name, ()):
            cell = int(max(0.0, now - at) / _SECONDS)
            most[cell] = max(share, most.get(cell, 0.0))
        return "".join(_height(most[cell]) if cell in most else " " for cell in reversed(range(_CELLS)))


def _height(share: float) -> str:
    return _HEIGHTS[round(max(0.0, min(1.0, share)) * (len(_HEIGHTS) - 1))]


class Meters(Static):
    """A line a meter."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._machine: Machine | None = None
        self._past = LastMinute()

    def show(self, machine: Machine) -> None:
        """Other numbers."""
        self._machine = machine
        self._past.add(machine.at, {name: share for name, share, _ in _meters(machine)})
        self.tick()

    def tick(self) -> None:
        """Draws again, for the age."""
        if self._machine is not None:
            self.update(Content("\n").join(self._lines(self._machine, time.time())))

    def _lines(self, machine: Machine, now: float) -> Iterator[Content]:
        for name, share, text in _meters(machine):
            yield _line(name, share, text, self._past.cells(name, machine.at))
        if now - machine.at > _OLD_SECONDS:
            yield Content.styled(f"as of {duration(now - machine.at)} ago", "$warning")


def _meters(machine: Machine) -> Iterator[tuple[str, float, str]]:
    """Name, share and words of each meter; of several cards each has its number."""
    yield "CPU", machine.busy, f"{percent(machine.busy, 0)} of {machine.cores} cores"
    ram = machine.ram_used / max(1, machine.ram_total)
    yield "RAM", ram, f"{amount(machine.ram_used)} of {amount(machine.ram_total)}"
    for place, gpu in enumerate(machine.gpus, 1):
        number = str(place) if len(machine.gpus) > 1 else ""
        if gpu.busy is not None:
            yield f"GPU{number}", gpu.busy, f"{percent(gpu.busy, 0)} {one_line(gpu.name, 30)}"
        yield f"VRAM{number}", gpu.used / max(1, gpu.total), f"{amount(gpu.used)} of {amount(gpu.total)}"


def _line(name: str, share: float, text: str, past: str) -> Content:
    cells = round(max(0.0, min(1.0, share)) * _BAR)
    return Content.assemble(
        (f"{name:<5}", "$text-muted"),
        ("█" * cells, "$primary"),
        ("░" * (_BAR - cells), "$border-blurred"),
        (f" {past}", "$secondary"),
        f" {text}",
    )
