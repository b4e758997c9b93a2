"""How long a run still takes, as a range: from what its candidates took of late."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RECENT = 15  # candidates that stand for those to come
_FEWEST = 3


@dataclass(frozen=True)
class TimeLeft:
    """Seconds from `low` to `high`: were all candidates to come as quick, or as slow, as the quartiles of the recent ones."""

    low: float
    middle: float
    high: float
    basis: int


def time_left(seconds: Sequence[float], items: int, items_left: int) -> TimeLeft | None:
    """The time of `items_left` scored items, when candidates of `items` items took `seconds`, oldest first.

    None before three candidates are done: nothing is known then.
    """
    recent = seconds[-RECENT:]
    if len(recent) < _FEWEST or items < 1:
        return None
    quartiles = statistics.quantiles(recent, n=4, method="inclusive")
    low, middle, high = (quartile / items * items_left for quartile in quartiles)
    return TimeLeft(low, middle, high, len(recent))
