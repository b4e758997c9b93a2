"""A voter whose preference is known: who of two is better by a hidden liking, now and then the other by mistake."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from evomerge_core.search.taste.bradley_terry import Preference, strengths
from evomerge_core.search.taste.telling_pair import telling_pairs

NUMBERS = 4


def place_of_the_preferred(
    seed: int,
    *,
    candidates: int = 30,
    votes: int = 80,
    noise: float = 0.15,
    asks: bool = True,
    by_genome: bool = False,
    genomes_known: bool = True,
) -> int:
    """Where the one whom the voter likes best stands after the votes, from 0.

    Candidates have genomes of four numbers, drawn at random. `by_genome`: the voter likes best what is near a hidden genome;
    else any order, which genomes say nothing of. `genomes_known`: whether strengths are worked out with the genomes. `asks`:
    whether the most telling pair is asked for; else any.
    """
    draw = np.random.default_rng([seed, candidates])
    liking = draw.permutation(candidates).astype(np.float64)
    genomes, hidden = np.random.default_rng([seed, candidates, NUMBERS]).random((2, candidates, NUMBERS))
    if by_genome:
        liking = -((genomes - hidden[0]) ** 2).sum(axis=1)
    places = genomes if genomes_known else np.full_like(genomes, np.nan)
    given: list[Preference] = []
    pairs = list(combinations(range(candidates), 2))
    for number in range(votes):
        first, second = pairs[draw.integers(len(pairs))]
        if asks:
            first, second = telling_pairs(strengths(places, given), pairs, number)[0]
        is_better, is_mistaken = liking[first] > liking[second], draw.random() < noise
        given.append(Preference(first, second, float(is_better != is_mistaken)))
    ranking = np.argsort(-strengths(places, given).mean, kind="stable")
    return int(np.flatnonzero(ranking == liking.argmax())[0])
