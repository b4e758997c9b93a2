"""Natural niches (M2N2, arXiv 2508.16204): members compete for items as for food, and mate with those that solve what they
don't. What many solve feeds each of them less, so that who alone solves something stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evomerge_core.search.population.coefficients import Gram, cross, moved, without_small
from evomerge_core.search.population.rules import Child, Member, Scores, pick, scores_of


@dataclass(frozen=True, eq=False)
class Niches:
    """`size` members stay; an item is worth its share of `worth`, float64 [items].

    `competition` is the power of what is shared (0: nothing is, and with no `attraction` this is a genetic algorithm).
    Each of a child's coefficients moves by up to `mutation`; those below `least` of their group's largest are dropped, and none
    leaves [`low`, `high`].
    """

    gram: Gram
    worth: NDArray[np.float64]
    size: int
    competition: float = 1.0
    attraction: bool = True
    mutation: float = 0.0
    least: float = 0.01
    low: float = -np.inf
    high: float = np.inf

    def breed(self, members: Sequence[Member], generation: int, draw: np.random.Generator) -> Child:  # noqa: ARG002
        food = shared(scores_of(members), self.worth, self.competition)
        fitness = food.sum(axis=1)
        first = pick(fitness, draw)
        second = pick(self._mates(food, first), draw)
        split, share = int(draw.integers(len(self.gram) + 1)), float(draw.random())
        pair = members[first], members[second]
        child = cross(pair[0].coefficients, pair[1].coefficients, split=split, share=share, gram=self.gram)
        child = moved(child, self.mutation, draw)
        made = without_small(np.clip(child, self.low, self.high), self.least)
        return Child(made, (pair[0].id, pair[1].id))

    def survivors(self, members: Sequence[Member]) -> list[Member]:
        """Without the worst, one after the other, until `size` are left; of equals the older leaves, as in the authors' code:
        so a population wanders where nothing is better."""
        left = list(members)
        while len(left) > self.size:
            fitness = shared(scores_of(left), self.worth, self.competition).sum(axis=1)
            del left[int(np.argmin(fitness))]
        return left

    def _mates(self, food: Scores, first: int) -> NDArray[np.float64]:
        """Each member's chance to become the second parent; by fitness where nobody solves what the first doesn't."""
        wanted = attraction_to(food, first) if self.attraction else food.sum(axis=1)
        if wanted.any():
            return wanted
        others: NDArray[np.float64] = np.where(np.arange(len(food)) == first, 0.0, food.sum(axis=1))
        return others


def shared(scores: Scores, worth: NDArray[np.float64], competition: float) -> Scores:
    """What each member gets of each item: the best score that anybody has there, times the item's worth, shared among all in
    proportion to their scores; `competition` is the power of the sum that it is divided by."""
    sums = scores.sum(axis=0)
    eaten = np.where(sums > 0.0, sums, 1.0) ** competition
    return np.asarray(scores * scores.max(axis=0) * worth / eaten)


def attraction_to(food: Scores, first: int) -> NDArray[np.float64]:
    """How much each member gets that member `first` doesn't, [members]."""
    return np.asarray(np.maximum(0.0, food - food[first]).sum(axis=1))
