"""How able each merge is and how hard each item, from right and wrong answers.

The probit form of Rasch's model (Rasch 1960): merge i answers item j correctly with probability Phi(ability_i - difficulty_j).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr

from replay.matrix import Numbers

# Standard deviations that are assumed beforehand: wide for merges, of which some can do nothing at all; items differ by about
# as much as a merge's own luck does.
_ABILITIES, _DIFFICULTIES = 2.0, 1.0


@dataclass(frozen=True)
class Abilities:
    """`ability` [merges] with the standard errors that the items leave, `difficulty` [items]."""

    ability: Numbers
    error: Numbers
    difficulty: Numbers


def fit_abilities(right: Numbers) -> Abilities:
    """The most likely abilities and difficulties of `right` [merges, items], scores of 0..1, under normal assumptions."""
    merges, items = right.shape

    def cost(numbers: Numbers) -> tuple[float, Numbers]:
        ability, difficulty = numbers[:merges], numbers[merges:]
        lead = ability[:, None] - difficulty
        likely = right * log_ndtr(lead) + (1 - right) * log_ndtr(-lead)
        slope = right * _hazard(lead) - (1 - right) * _hazard(-lead)
        total = -likely.sum() + 0.5 * (ability**2).sum() / _ABILITIES**2 + 0.5 * (difficulty**2).sum() / _DIFFICULTIES**2
        gradient = [-slope.sum(axis=1) + ability / _ABILITIES**2, slope.sum(axis=0) + difficulty / _DIFFICULTIES**2]
        return float(total), np.concatenate(gradient)

    found = minimize(cost, np.zeros(merges + items), jac=True, method="L-BFGS-B").x
    ability, difficulty = found[:merges], found[merges:]
    lead = ability[:, None] - difficulty
    known = (_hazard(lead) * _hazard(-lead)).sum(axis=1)  # Fisher's information: phi^2 / (Phi (1 - Phi))
    return Abilities(ability, 1 / np.sqrt(known + 1 / _ABILITIES**2), difficulty)


def chance(ability: Numbers, difficulty: Numbers) -> Numbers:
    """The probability of a correct answer."""
    return np.asarray(ndtr(ability - difficulty))


def _hazard(lead: Numbers) -> Numbers:
    """phi / Phi, safe far out on both sides."""
    return np.asarray(np.exp(-0.5 * lead**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(lead)))
