"""What a candidate is likely to score: against draws whose true scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.run.statistics import wilson
from evomerge_core.run.view.estimates import own_estimate, population


def _drawn(candidates: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True scores, what so many items showed of them, and the items: 8 to 64 of right or wrong each."""
    draws = np.random.default_rng(seed)
    true = np.clip(draws.normal(0.45, spread, candidates), 0.02, 0.98)
    items = draws.choice([8, 11, 24, 64], candidates)
    return true, draws.binomial(items, true) / items, items


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.15])
def test_estimates_are_nearer_to_the_truth_than_scores_and_their_intervals_hold_it(spread: float) -> None:
    true, scores, items = _drawn(400, spread)
    found = population(list(scores), list(items))
    assert found is not None
    estimates = [found.estimate(score, count) for score, count in zip(scores, items, strict=True)]
    errors = np.array([one.value for one in estimates]) - true
    assert np.sqrt((errors**2).mean()) < 0.8 * np.sqrt(((scores - true) ** 2).mean())
    held = [one.low <= truth <= one.high for one, truth in zip(estimates, true, strict=True)]
    assert np.mean(held) > 0.9


def test_the_highest_is_not_promised_its_luck() -> None:
    """The best of 200 equals on 11 items scores far above them; what is promised of it is about what all of them are."""
    true, scores, items = _drawn(200, 0.0, seed=3)
    found = population(list(scores), list(items))
    assert found is not None
    top = int(np.argmax(scores))
    assert scores[top] > true[top] + 0.2
    assert abs(found.estimate(scores[top], int(items[top])).value - true[top]) < 0.07


def test_more_items_count_more() -> None:
    found = population([0.2, 0.5, 0.4, 0.6], [20, 20, 20, 20])
    assert found is not None
    few, many = found.estimate(0.9, 5), found.estimate(0.9, 500)
    assert few.value < many.value < 0.9
    assert few.high - few.low > many.high - many.low


def test_nothing_is_known_of_a_population_of_one() -> None:
    assert population([0.5], [10]) is None


@pytest.mark.parametrize(("right", "items"), [(0, 11), (6, 11), (11, 11), (87, 200)])
def test_a_score_that_nobody_chose_has_wilsons_interval(right: int, items: int) -> None:
    estimate = own_estimate(right / items, items, "test")
    assert (estimate.low, estimate.high) == pytest.approx(wilson(right, items))
    assert estimate.value == right / items
