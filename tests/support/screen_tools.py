"""What the tests of screens share: an app with its own machine, waiting, and reading what a screen shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.css.query import NoMatches
from textual.pilot import Pilot

from evomerge_tui.app import EvomergeApp
from evomerge_tui.machine.machine import Gpu, Machine
from evomerge_tui.user.settings import Settings
from evomerge_tui.widgets.rows_table import RowsTable

SECONDS = 60.0


def machine(_: Path) -> Machine:
    """A machine whose numbers are always the same."""
    card = Gpu("NVIDIA Test 12", 3_200_000_000, 12_000_000_000, 0.5)
    return Machine(time.time(), 8, 0.25, 6_000_000_000, 32_000_000_000, 120_000_000_000, (card,), "c++")


def make_app(folder: Path, *, sense: Callable[[Path], Machine] = machine, **settings: Any) -> EvomergeApp:
    """The app as it starts in a folder; `sense` reads the machine."""
    return EvomergeApp(Settings(**{"animations": False, **settings}), folder=folder, sense=sense)


async def until(pilot: Pilot[int], true: Callable[[], object], seconds: float = SECONDS) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not _is_so(true):
        assert time.monotonic() < deadline, f"not so after {seconds} s; the screen shows:\n{shown(pilot.app)}"
        # not `pilot.pause`: it waits for every widget there is, forever for one that an answer's next piece has replaced
        await asyncio.sleep(0.02)


def _is_so(true: Callable[[], object]) -> bool:
    try:
        return bool(true())
    except NoMatches:
        # the screen is not there yet
        return False


def shown(app: object) -> str:
    """The text on the screen, line by line."""
    assert isinstance(app, EvomergeApp)
    lines = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


def table(app: EvomergeApp, name: str) -> RowsTable[object]:
    """A table of the screen on top."""
    return app.screen.query_one(f"#{name}", RowsTable)


async def click_text(pilot: Pilot[int], text: str, *, times: int = 1, beside: str = "") -> None:
    """Clicks where a text is seen, the way a person does: when it has come to rest; in a line that holds `beside` too."""
    place = None
    while place is None or place != _place_of(pilot.app, text, beside):
        await until(pilot, lambda: _place_of(pilot.app, text, beside) is not None)
        place = _place_of(pilot.app, text, beside)
        await asyncio.sleep(0.3)
    await pilot.click(offset=place, times=times)


def _place_of(app: App[Any], text: str, beside: str) -> tuple[int, int] | None:
    """The cell of a text's second letter; None where it is not seen."""
    for y, line in enumerate(shown(app).splitlines()):
        x = line.find(text)
        if x >= 0 and beside in line:
            return x + 1, y
    return None
