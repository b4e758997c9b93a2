"""States of a run as they are shown: a symbol, a word, a tone. Symbol and word are enough; colour only helps."""

from __future__ import annotations

from typing import NamedTuple


class Shown(NamedTuple):
    """How a state is shown."""

    sign: str
    word: str
    tone: str


_STATES = {
    "created": Shown("○", "created", "muted"),
    "starting": Shown("◌", "starting", ""),
    "running": Shown("●", "running", "good"),
    "paused": Shown("‖", "paused", "best"),
    "stopped": Shown("■", "stopped", "muted"),
    "interrupted": Shown("▲", "interrupted", "best"),
    "finished": Shown("✓", "finished", "muted"),
    "failed": Shown("✗", "failed", "bad"),
    "unreadable": Shown("✗", "unreadable", "bad"),
}


def shown_state(state: str) -> Shown:
    """How to show a state; an unknown one as it is."""
    return _STATES.get(state, Shown("?", state, "muted"))
