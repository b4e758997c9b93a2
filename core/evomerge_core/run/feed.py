"""What is new in a run since the last look: what screens read, again and again, while a job writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from evomerge_core.run.folder import open_store
from evomerge_core.run.progress import state_of
from evomerge_core.run.store import Outcome

# Of an old run's log, what a first look shows.
_FIRST_EVENTS = 500


class Event(NamedTuple):
    """Something that the job said: number, unix time in seconds, kind, data."""

    number: int
    at: float
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class News:
    """A run's facts and state as they are, and what came since the last look. `waiting`: commands not yet obeyed."""

    state: str
    facts: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    events: tuple[Event, ...]
    waiting: tuple[str, ...]


class Feed:
    """Reads a run's store step by step. For one thread; nothing is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = open_store(folder)
        self._outcome = 0
        self._event = max(0, self._store.last_event() - _FIRST_EVENTS)

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.close()

    def read(self) -> News:
        """What is new; raises `sqlite3.Error` when the store can't be read at the moment."""
        state = state_of(self._folder, self._store)
        outcomes = self._store.outcomes(self._outcome)
        events = [Event(*event) for event in self._store.events(self._event)]
        self._outcome = outcomes[-1].number if outcomes else self._outcome
        self._event = events[-1].number if events else self._event
        return News(state, self._store.facts(), tuple(outcomes), tuple(events), tuple(self._store.waiting_commands()))
