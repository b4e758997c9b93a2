"""A run's state, as far as its store and its lock tell."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.live_states import LIVE
from evomerge_core.run.store.store import Store


def state_of(folder: Path, store: Store) -> str:
    """The run's state, `interrupted` when its job ended without saying so.

    A job says how it ended before it releases its lock: so the lock is looked at first, and then what was said.
    """
    held = is_held(folder)
    state = read_facts(store).state
    return "interrupted" if state in LIVE and not held else state
