"""Asks before work ends: nothing that took more than seconds ends by one key."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from textual.app import App

from evomerge_tui.screens.dialogs.confirm import Confirm
from evomerge_tui.screens.work_under_way import UnderWay
from evomerge_tui.text.quantities import duration
from evomerge_tui.text.shown_text import one_line

# What took less is begun anew sooner than a question is read.
_SECONDS = 5.0


async def may_end(app: App[Any], works: Iterable[UnderWay], do: str) -> bool:
    """Whether work may end: it is none, has taken no more than seconds, or the person says so; `do` is the button's title.
    For a worker."""
    now = time.monotonic()
    long = [work for work in works if now - work.began > _SECONDS]
    return not long or await app.push_screen_wait(_question(long, now, do))


def _question(long: Sequence[UnderWay], now: float, do: str) -> Confirm:
    names = ", ".join(f"{one_line(work.what, 60)} ({duration(now - work.began)})" for work in long)
    kept = dict.fromkeys(work.kept for work in long)
    return Confirm(f"{names} is still running", " ".join(kept), do, stay="Go on")
