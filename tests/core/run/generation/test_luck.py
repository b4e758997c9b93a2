"""What is expected of a winner, against what it was in hundreds of choices whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.run.generation.luck import expected_score

ITEMS, RUNS = 48, 300


def drawn(draws: np.random.Generator, rates: list[float]) -> np.ndarray:
    """Answers of contenders with these chances of being right; items are of different difficulty."""
    shift = draws.normal(0, 0.15, ITEMS)
    return (draws.random((len(rates), ITEMS)) < np.clip(np.array(rates)[:, None] + shift, 0, 1)).astype(float)


def compared(rates: list[float]) -> tuple[float, float]:
    """By how many points the best one's score was too high, and by how many that is expected, in the mean."""
    draws, lost, expected = np.random.default_rng(1), [], []
    for _ in range(RUNS):
        values = drawn(draws, rates)
        best = int(np.argmax(values.mean(axis=1)))
        lost.append(values[best].mean() - rates[best])
        expected.append(values[best].mean() - expected_score(values, best))
    return 100 * float(np.mean(lost)), 100 * float(np.mean(expected))


@pytest.mark.parametrize(
    ("rates", "least", "most"),
    [
        ([0.5] * 8, 8, 12),  # equals: all of the lead is luck
        ([0.5] * 6 + [0.2] * 3, 7, 11),  # equals, and some that could never have won
        ([0.4, 0.43, 0.46, 0.49, 0.51, 0.54, 0.57, 0.6], 6, 9),
        ([0.2, 0.29, 0.37, 0.46, 0.54, 0.63, 0.71, 0.8], 1, 4),
        ([0.8] + [0.3] * 7, -2, 2),  # a clear leader keeps its score
    ],
)
def test_what_luck_takes_is_expected_to_go(rates: list[float], least: float, most: float) -> None:
    lost, expected = compared(rates)
    assert least < lost < most
    assert expected == pytest.approx(lost, abs=3.0)


def test_where_items_are_all_that_differs_there_is_no_luck_among_contenders() -> None:
    """All answer alike: their score may be luck, but none was chosen for it."""
    values = np.tile((np.arange(ITEMS) % 3 == 0).astype(float), (8, 1))
    assert expected_score(values, 0) == pytest.approx(16 / 48)


def test_one_contender_or_one_item_says_nothing_of_luck() -> None:
    assert expected_score(np.array([[1.0, 0.0, 1.0, 1.0]]), 0) == 0.75
    assert expected_score(np.array([[1.0], [0.0]]), 0) == 1.0


def test_it_is_shrunk_towards_the_others_and_never_beyond_them() -> None:
    values = drawn(np.random.default_rng(4), [0.5] * 8)
    scores = values.mean(axis=1)
    for number, score in enumerate(scores):
        assert scores.min() <= expected_score(values, number) <= scores.max()
        assert abs(expected_score(values, number) - scores.mean()) <= abs(score - scores.mean()) + 0.02


def test_far_apart_scores_of_many_items_are_as_they_are() -> None:
    """With 4,000 items the densities of the lower ones are 0 in floating point at the highest score."""
    draws = np.random.default_rng(5)
    values = (draws.random((3, 4000)) < np.array([[0.1], [0.5], [0.9]])).astype(float)
    assert expected_score(values, 2) == pytest.approx(values[2].mean(), abs=0.01)
