"""The paired sequential test: its formula, its error rate, and that it finds what is plainly worse."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.search.racing.evidence import broken, capital

BETS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def by_hand(values: list[list[float]], better: int) -> list[float]:
    """The docstring, item by item and bet by bet; no ties are broken and nobody is out."""
    wealth = [[1.0] * len(BETS) for _ in values]
    lead = [0.0] * len(values)
    for item in range(len(values[0])):
        bar = sorted(lead, reverse=True)[better - 1]
        ahead = [row for row, points in enumerate(lead) if points >= bar]
        mean = sum(values[row][item] for row in ahead) / len(ahead)
        for row, own in enumerate(values):
            wealth[row] = [w * (1 + bet * (mean - own[item])) for w, bet in zip(wealth[row], BETS, strict=True)]
            lead[row] += own[item]
    return [sum(row) / len(row) for row in wealth]


def test_capital_is_what_the_docstring_says() -> None:
    values = np.random.default_rng(0).random((6, 9))
    assert capital(values, values, 3) == pytest.approx(by_hand(values.tolist(), 3))


def test_whoever_is_out_of_the_race_neither_gains_nor_is_compared_with() -> None:
    values = np.random.default_rng(1).random((5, 8))
    values[4, 4:] = np.nan
    alone = capital(values[:4, :4], values[:4, :4], 2)
    with_fifth = capital(values, values, 2)
    assert with_fifth[4] == pytest.approx(capital(values[:, :4], values[:, :4], 2)[4])
    assert np.isfinite(with_fifth).all()
    assert alone.shape == (4,)


@pytest.mark.parametrize("hardness", [-2.0, 0.0, 2.0])
def test_a_candidate_as_good_as_the_others_is_seldom_dropped_however_often_one_looks(hardness: float) -> None:
    """Equal candidates on items of very different difficulty: who is dropped at any of 24 looks, at a stated 10 %."""
    draws, dropped, error = np.random.default_rng(2), 0, 0.1
    for _ in range(60):
        chance = 1 / (1 + np.exp(-draws.normal(hardness, 2.5, 24)))
        values = (draws.random((10, 24)) < chance).astype(float)
        order = values - draws.random(values.shape) / 25
        looks = [capital(values[:, :n], order[:, :n], 5) >= 1 / error for n in range(1, 25)]
        dropped += int(np.any(looks, axis=0).sum())
    assert dropped <= error * 600


def test_one_that_is_never_right_is_dropped_from_a_good_generation() -> None:
    values = np.ones((10, 8))
    values[3] = 0
    evidence = capital(values, values, 5)
    assert np.flatnonzero(evidence >= 10).tolist() == [3]


def test_gold_answers_beyond_the_margin_tell_a_broken_merge() -> None:
    parent = np.full(8, 0.9)
    assert broken(parent + 1.5, parent, margin=1.0, error=0.1)
    assert not broken(parent + 0.9, parent, margin=1.0, error=0.1)
    assert not broken(np.array([]), np.array([]), margin=1.0, error=0.1)


def test_a_sound_candidate_is_seldom_called_broken() -> None:
    """On the edge of the hypothesis: every other item is beyond the margin."""
    draws = np.random.default_rng(3)
    calls = [broken(draws.integers(0, 2, 8) * 3.0, np.zeros(8), margin=1.0, error=0.1) for _ in range(2000)]
    assert sum(calls) <= 0.1 * 2000
