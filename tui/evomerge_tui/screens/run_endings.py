"""Which runs end while the screens are open, so that it is said once."""

from __future__ import annotations

from evomerge_core.run.store.live_states import LIVE

_ENDS = {"finished": "is finished", "failed": "has failed", "interrupted": "was interrupted"}


class RunEndings:
    """Remembers the state that each run was last seen in."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def seen(self, folder: str, name: str, state: str) -> str | None:
        """A sentence when a run that was at work has ended; None otherwise. A run that a person stops isn't news to them."""
        before, self._states[folder] = self._states.get(folder), state
        return f"The run {name} {_ENDS[state]}" if before in LIVE and state in _ENDS else None
