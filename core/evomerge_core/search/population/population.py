"""A population as it stands, and its next generation: pure functions from one frozen state to the next.

Random numbers are those of (seed, generation, child), so that a stored state goes on as an uninterrupted search does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evomerge_core.search.population.rules import Child, Member, Rules


@dataclass(frozen=True, eq=False)
class Population:
    """The `members` after so many generations, of the search with this seed."""

    seed: int
    generation: int
    members: tuple[Member, ...]


def found(seed: int, founders: Sequence[Member], rules: Rules) -> Population:
    """A population before its first generation."""
    return Population(seed, 0, tuple(rules.survivors(founders)))


def ask(population: Population, rules: Rules, count: int) -> list[Child]:
    """The next generation's children, none of whom knows of the others."""
    generators = (np.random.default_rng([population.seed, population.generation, number]) for number in range(count))
    return [rules.breed(population.members, population.generation, draw) for draw in generators]


def tell(
    population: Population, rules: Rules, children: Sequence[tuple[int, Child]], scores: Sequence[NDArray[np.float64] | None]
) -> Population:
    """The population after a generation: `children` with the numbers that they got, and each one's scores, [items]; None for
    one that may not stay, because it failed or is known already."""
    new = [
        Member(number, child.coefficients, own)
        for (number, child), own in zip(children, scores, strict=True)
        if own is not None
    ]
    return Population(population.seed, population.generation + 1, tuple(rules.survivors([*population.members, *new])))
