"""A voter whose preference is known: who of two is better by a hidden order, now and then the other by mistake."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from evomerge_core.search.taste.bradley_terry import SPREAD, Preference, strengths
from evomerge_core.search.taste.telling_pair import telling_pairs


def place_of_the_preferred(
    seed: int, *, candidates: int = 30, votes: int = 80, noise: float = 0.15, spread: float = SPREAD, asks: bool = True
) -> int:
    """Where the one whom the voter likes best stands after the votes, from 0. `asks`: whether the most telling pair is asked
    for; else any."""
    draw = np.random.default_rng([seed, candidates])
    liking = draw.permutation(candidates)
    given: list[Preference] = []
    pairs = list(combinations(range(candidates), 2))
    for number in range(votes):
        now = strengths(candidates, given, spread)
        first, second = telling_pairs(now, pairs, number)[0] if asks else pairs[draw.integers(len(pairs))]
        is_better, is_mistaken = liking[first] > liking[second], draw.random() < noise
        given.append(Preference(first, second, float(is_better != is_mistaken)))
    ranking = np.argsort(-strengths(candidates, given, spread).mean, kind="stable")
    return int(np.flatnonzero(ranking == liking.argmax())[0])
