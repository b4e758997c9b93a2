"""The time left is what recent passes say, as a range; nothing is said before there is anything to go by."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.run.store.records import Pass
from evomerge_core.run.timing.time_left import time_left


def passed(seconds: float, items: int = 10, *, rung: int | None = None, failure: str | None = None) -> Pass:
    return Pass("search", "nf4", items, 100, 0.1, seconds, None if rung is None else 0, rung, failure)


def test_it_is_the_quartiles_of_seconds_an_item_times_what_is_ahead() -> None:
    seconds = [4.0, 5.0, 6.0, 9.0, 20.0]
    found = time_left([passed(took) for took in seconds], candidates=3, items=40)
    assert found is not None
    low, middle, high = np.quantile(np.array(seconds) / 10, [0.25, 0.5, 0.75]) * (3 * 10 + 40)
    assert (found.low, found.middle, found.high) == pytest.approx((low, middle, high))
    assert found.basis == 5


def test_a_race_counts_each_candidate_once_with_all_its_rungs() -> None:
    race = [passed(1.0, 4, rung=0), passed(1.0, 4, rung=0), passed(2.0, 8, rung=1)]
    found = time_left(race, candidates=10, items=0)
    assert found is not None
    assert found.middle == pytest.approx(0.25 * 10 * (4 + 4 + 8) / 2)


def test_failures_say_nothing_and_too_few_passes_give_nothing() -> None:
    failures = [passed(0.1, failure="NaN") for _ in range(5)]
    assert time_left(failures, 10, 0) is None
    assert time_left([passed(1.0), passed(1.0), *failures], 10, 0) is None
    assert time_left([passed(1.0)] * 3 + failures, 1, 0) is not None


def test_two_candidates_at_a_time_take_half_the_time() -> None:
    alone, two = time_left([passed(8.0, 4)] * 4, 10, 20), time_left([passed(8.0, 4)] * 4, 10, 20, 2)
    assert alone is not None
    assert two is not None
    assert two.middle == alone.middle / 2
