"""What is new in a run since the last look: what screens read, again and again, while a job writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.run_folder.interruption import message_of
from evomerge_core.run.run_folder.state import state_of
from evomerge_core.run.store.facts import RunFacts, read_facts
from evomerge_core.run.store.records import Outcome, Pass
from evomerge_core.run.store.store import Store
from evomerge_core.run.timing.time_left import RECENT

# Of an old run's log, what a first look shows.
_FIRST_EVENTS = 500


class Event(NamedTuple):
    """Something that the job reported: number, unix time in seconds, kind, data."""

    number: int
    at: float
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class RunUpdates:
    """A run's facts and state as they are, and what came since the last look.

    `waiting`: commands not yet obeyed. `passes`: the last ones, oldest first. `tried`: genomes of the search that were asked
    anything, even in an unfinished race. `labels`: what the candidates of the new events are called, by id.
    """

    state: str
    facts: RunFacts
    outcomes: tuple[Outcome, ...]
    events: tuple[Event, ...]
    waiting: tuple[str, ...]
    passes: tuple[Pass, ...] = ()
    tried: int = 0
    labels: Mapping[int, str] = field(default_factory=dict)


class Feed:
    """Reads a run's store step by step. For one thread; nothing is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = read_store(folder)
        self._outcome = 0
        self._event = max(0, self._store.last_event() - _FIRST_EVENTS)

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.close()

    @property
    def store(self) -> Store:
        """The store as it was last read."""
        return self._store

    def read(self) -> RunUpdates:
        """What is new; raises `sqlite3.Error` when the store can't be read at the moment."""
        if self._store.is_outdated():
            self._store.close()
            self._store = read_store(self._folder)
        state, facts = state_of(self._folder, self._store), read_facts(self._store)
        outcomes = self._store.outcomes(self._outcome)
        events = [Event(*event) for event in self._store.events(self._event)]
        named = {event.data["candidate"] for event in events if "candidate" in event.data}
        self._outcome = outcomes[-1].number if outcomes else self._outcome
        self._event = events[-1].number if events else self._event
        return RunUpdates(
            state=state,
            facts=replace(facts, message=message_of(self._folder, state, facts)),
            outcomes=tuple(outcomes),
            events=tuple(events),
            waiting=tuple(self._store.waiting_commands()),
            passes=tuple(self._store.recent_passes(RECENT)),
            tried=self._store.count_tried(),
            labels=self._store.labels(sorted(named)),
        )
