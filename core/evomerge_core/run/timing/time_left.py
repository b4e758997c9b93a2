"""How long a run still takes, as a range: from what its passes took of late."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from evomerge_core.run.store.store import Pass

RECENT = 40  # passes that stand for those to come
_FEWEST = 3


@dataclass(frozen=True)
class TimeLeft:
    """Seconds from `low` to `high`: were all that is to come as quick, or as slow, as the quartiles of `basis` passes."""

    low: float
    middle: float
    high: float
    basis: int


def time_left(passes: Sequence[Pass], candidates: int, items: int) -> TimeLeft | None:
    """The time of so many candidates more, and of scoring `items` items after them; `passes` are recent ones.

    A candidate to come is asked as many items as recent ones were. None before three passes are done: nothing is known then.
    """
    good = [one for one in passes if one.failure is None and one.items > 0]
    if len(good) < _FEWEST:
        return None
    searching = [one for one in good if one.split == "search"]
    begun = sum(not one.rung for one in searching)
    of_candidate = sum(one.items for one in searching) / begun if begun else 0.0
    ahead = candidates * of_candidate + items
    low, middle, high = statistics.quantiles([one.seconds / one.items for one in good], n=4, method="inclusive")
    return TimeLeft(low * ahead, middle * ahead, high * ahead, len(good))
