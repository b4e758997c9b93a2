from itertools import combinations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from evomerge_core.search.taste.bradley_terry import Preference, Strengths, strengths
from evomerge_core.search.taste.telling_pair import chances_to_be_best, information, telling_pairs
from support.simulated_voter import place_of_the_preferred


def _entropy(chance: float) -> float:
    return -chance * np.log(chance) - (1 - chance) * np.log(1 - chance)


def test_between_two_a_vote_tells_what_integration_says() -> None:
    known = Strengths(np.array([0.4, 0.0]), np.array([[0.5, 0.1], [0.1, 0.7]]))
    apart = norm(0.4, np.sqrt(0.5 + 0.7 - 0.2))
    is_best = float(apart.sf(0))
    both = quad(lambda x: expit(x) * apart.pdf(x), -20, 20)[0]
    if_best = quad(lambda x: expit(x) * apart.pdf(x), 0, 20)[0] / is_best
    otherwise = quad(lambda x: expit(x) * apart.pdf(x), -20, 0)[0] / (1 - is_best)
    expected = _entropy(both) - is_best * _entropy(if_best) - (1 - is_best) * _entropy(otherwise)
    assert information(known, 0)[0, 1] == pytest.approx(expected, rel=0.1)


def test_two_of_whom_neither_can_be_the_best_are_not_asked_for() -> None:
    known = strengths(np.full((4, 1), np.nan), [Preference(winner, loser, 1.0) for winner in (0, 1) for loser in (2, 3)] * 20)
    assert telling_pairs(known, list(combinations(range(4), 2)), 0)[0] == (0, 1)


def test_the_chances_to_be_best_are_those_of_the_posterior() -> None:
    known = Strengths(np.array([0.3, 0.0]), np.eye(2))
    expected = norm.cdf(0.3 / np.sqrt(2))
    assert chances_to_be_best(known) == pytest.approx([expected, 1 - expected], abs=0.05)


def test_the_same_votes_ask_for_the_same_pair() -> None:
    known = strengths(np.full((6, 1), np.nan), [Preference(0, 1, 1.0)])
    pairs = list(combinations(range(6), 2))
    assert telling_pairs(known, pairs, 3) == telling_pairs(known, pairs[::-1], 3)


def test_the_preferred_of_thirty_is_mostly_among_the_best_three_after_eighty_votes_with_mistakes() -> None:
    """By chance it is in one of ten; 18 of 20 are measured (`tests/benchmarks/taste_votes.py`)."""
    assert sum(place_of_the_preferred(seed, genomes_known=False) < 3 for seed in range(4)) >= 3


def test_of_merges_that_are_liked_for_what_they_are_near_to_it_is_too() -> None:
    assert sum(place_of_the_preferred(seed, by_genome=True) < 3 for seed in range(10, 14)) >= 3
