"""What a population's search is asked: whom to cross, and who stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evomerge_core.search.population.coefficients import Coefficients

# Scores in 0..1, float64 [members, items].
Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Member:
    """One of a population: a number of its own, its coefficients, and its score on each item, float64 [items]."""

    id: int
    coefficients: Coefficients
    scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Child:
    """What is to be scored next, and whose child it is."""

    coefficients: Coefficients
    parents: tuple[int, int]


class Rules(Protocol):
    """How a population breeds. Pure: the same members and the same random numbers give the same answer."""

    def breed(self, members: Sequence[Member], generation: int, draw: np.random.Generator) -> Child:
        """The next child of these members; there is at least one."""
        ...

    def survivors(self, members: Sequence[Member]) -> list[Member]:
        """Those that stay, in their order: the older of two equals comes first."""
        ...


def scores_of(members: Sequence[Member]) -> Scores:
    """All members' scores, [members, items]."""
    return np.array([member.scores for member in members])


def pick(chances: NDArray[np.float64], draw: np.random.Generator) -> int:
    """One index, drawn in proportion to its chance; each alike where no chance is above 0."""
    total = np.cumsum(chances)
    if not total[-1] > 0.0:
        return int(draw.integers(len(chances)))
    return min(int(np.searchsorted(total, draw.random() * total[-1], side="right")), len(chances) - 1)
