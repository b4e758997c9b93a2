import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from evomerge_core.search.taste.bradley_terry import SPREAD, Preference, strengths

# first, second, share
VOTES = [(0, 1, 1.0), (0, 2, 1.0), (1, 2, 0.5), (2, 3, 0.0), (0, 3, 1.0), (3, 1, 0.5), (2, 0, 1.0), (0, 1, 0.75)]


def _minus_log_posterior(strength: np.ndarray) -> float:
    """The formula of Bradley and Terry with shares of votes, written out."""
    total = float((strength**2).sum()) / (2 * SPREAD**2)
    for first, second, share in VOTES:
        apart = strength[first] - strength[second]
        total -= share * float(log_expit(apart)) + (1 - share) * float(log_expit(-apart))
    return total


def test_strengths_are_the_mode_of_the_posterior() -> None:
    found = strengths(5, [Preference(*vote) for vote in VOTES])
    expected = minimize(_minus_log_posterior, np.zeros(5), tol=1e-12).x
    np.testing.assert_allclose(found.mean, expected, atol=1e-5)


def test_the_covariance_is_the_inverse_of_the_curvature_at_the_mode() -> None:
    found = strengths(5, [Preference(*vote) for vote in VOTES])
    step, unit = 1e-4, np.eye(5)
    curvature = np.array(
        [
            [
                sum(
                    sign * _minus_log_posterior(found.mean + step * (a * unit[i] + b * unit[j]))
                    for a, b, sign in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
                )
                / (4 * step**2)
                for j in range(5)
            ]
            for i in range(5)
        ]
    )
    np.testing.assert_allclose(found.covariance, np.linalg.inv(curvature), atol=1e-4)


def test_without_votes_everybody_is_average_and_nothing_is_sure() -> None:
    found = strengths(3, [])
    assert found.values().tolist() == [0.5, 0.5, 0.5]
    assert found.above(0, 2) == 0.5


def test_more_votes_for_one_make_it_surer() -> None:
    few, many = (strengths(2, [Preference(0, 1, 1.0)] * count) for count in (2, 20))
    assert 0.5 < few.above(0, 1) < many.above(0, 1) < 1.0
    assert many.above(1, 0) == pytest.approx(1 - many.above(0, 1))


def test_a_tie_counts_half_for_each() -> None:
    tied = strengths(2, [Preference(0, 1, 0.5)] * 2)
    apart = strengths(2, [Preference(0, 1, 1.0), Preference(0, 1, 0.0)])
    np.testing.assert_allclose(tied.mean, apart.mean, atol=1e-12)
    np.testing.assert_allclose(tied.covariance, apart.covariance, atol=1e-12)


def test_a_value_is_the_chance_to_be_preferred_to_the_average() -> None:
    found = strengths(2, [Preference(0, 1, 1.0)] * 6)
    draws = np.random.default_rng(0).normal(found.mean[0], np.sqrt(found.covariance[0, 0]), 200_000)
    assert found.values()[0] == pytest.approx(float(expit(draws).mean()), abs=0.01)


def test_hundreds_of_one_sided_votes_still_end_at_a_finite_strength() -> None:
    found = strengths(2, [Preference(0, 1, 1.0)] * 800)
    assert np.isfinite(found.mean).all()
    assert found.above(0, 1) > 0.999
