"""How long a run still takes, as a range: from what its recent passes took."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from evomerge_core.run.store.records import Pass

RECENT = 40  # passes that stand for those to come
_FEWEST = 3


@dataclass(frozen=True)
class TimeLeft:
    """Seconds from `low` to `high`: if everything to come is as quick, or as slow, as the quartiles of `basis` passes."""

    low: float
    middle: float
    high: float
    basis: int


def time_left(passes: Sequence[Pass], candidates: int, items: int, at_once: int = 1) -> TimeLeft | None:
    """The time of `candidates` more candidates, and of scoring `items` items after them, `at_once` candidates at a time;
    `passes` are recent ones.

    A candidate to come is asked as many items as recent ones were. None before three passes are done.
    """
    good = [done for done in passes if done.failure is None and done.items > 0]
    if len(good) < _FEWEST:
        return None
    searching = [done for done in good if done.split == "search"]
    begun = sum(not done.rung for done in searching)
    of_candidate = sum(done.items for done in searching) / begun if begun else 0.0
    ahead = (candidates * of_candidate + items) / at_once
    low, middle, high = statistics.quantiles([done.seconds / done.items for done in good], n=4, method="inclusive")
    return TimeLeft(low * ahead, middle * ahead, high * ahead, len(good))
