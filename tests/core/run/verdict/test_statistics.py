"""Intervals and tests against scipy's and against counting."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy import stats

from evomerge_core.run.statistics import Paired, bootstrap_mean, compare, interval, mcnemar, sign_flip, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (85, 200), (1, 250), (130, 250)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_equals_scipys(successes: int, n: int, confidence: float) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson(successes, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("wins", "losses"), [(10, 0), (0, 10), (9, 3), (5, 5), (30, 12), (1, 0)])
def test_mcnemar_equals_the_binomial_tail_counted_twice(wins: int, losses: int) -> None:
    n, fewer = wins + losses, min(wins, losses)
    tail = sum(comb(n, k) for k in range(fewer + 1)) / 2**n
    assert mcnemar(wins, losses) == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_without_a_difference_is_1() -> None:
    assert mcnemar(0, 0) == 1.0


def test_binary_scores_are_compared_by_mcnemar() -> None:
    child, parent = [1, 1, 1, 1, 1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1, 0, 1]
    assert compare(child, parent) == Paired(wins=6, losses=1, p=pytest.approx(mcnemar(6, 1)))
    assert compare(child, child) == Paired(0, 0, 1.0)


@pytest.mark.parametrize("n", [5, 9, 12])
def test_graded_scores_are_compared_by_all_sign_flips_as_scipy_does(n: int) -> None:
    draws = np.random.default_rng(n)
    first, second = draws.random(n), draws.random(n)
    expected = stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    found = compare(first.tolist(), second.tolist())
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.wins, found.losses) == (int((first > second).sum()), int((first < second).sum()))


def test_sign_flips_of_equal_steps_are_mcnemars_test_exactly_and_by_draws() -> None:
    assert sign_flip([1.0] * 9 + [-1.0] * 3) == pytest.approx(mcnemar(9, 3))
    assert sign_flip([0.1] * 9 + [-0.1] * 3 + [0.0] * 50) == pytest.approx(mcnemar(9, 3))
    assert sign_flip([0.5] * 30 + [-0.5] * 14) == pytest.approx(mcnemar(30, 14), abs=0.003)
    assert sign_flip([0.5] * 100) == pytest.approx(1 / 100_001)


def test_the_bootstrap_is_seeded_and_near_the_normal_interval() -> None:
    scores = np.random.default_rng(0).random(300).tolist()
    low, high = bootstrap_mean(scores)
    assert (low, high) == bootstrap_mean(scores)
    assert (low, high) != bootstrap_mean(scores, seed=1)
    half = 1.96 * np.std(scores) / np.sqrt(300)
    assert (low, high) == pytest.approx((np.mean(scores) - half, np.mean(scores) + half), abs=0.004)


def test_the_interval_is_wilsons_for_binary_scores_and_the_bootstraps_for_others() -> None:
    assert interval([1, 0, 0, 1, 1]) == wilson(3, 5)
    assert interval([0.5, 0.25, 1.0]) == bootstrap_mean([0.5, 0.25, 1.0])
    assert interval([]) == (0.0, 1.0)


def test_scores_that_dont_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1 items"):
        compare([1, 0], [1])
    with pytest.raises(ValueError, match="finite"):
        compare([0.5, float("nan")], [1.0, 0.0])
