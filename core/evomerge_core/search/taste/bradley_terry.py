"""Strengths by votes between two, with their uncertainty (Bradley and Terry 1952).

Who has strength a is preferred to who has strength b with the probability 1 / (1 + exp(b - a)). A tie is half a vote for each.
Strengths are normal around 0 before any vote, so that few votes say little, and who has none is average. Their posterior is
normal around its mode, with the inverse of the curvature there as covariance (Laplace's approximation, MacKay 2003, ch. 27).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The deviation of strengths before any vote: of two drawn at random the better is preferred about 7 times in 10. More makes one
# unlucky vote count too much: chosen by `tests/benchmarks/taste_votes.py`.
SPREAD = 0.75
_STEPS = 50
_SMALL = 1e-10


@dataclass(frozen=True)
class Preference:
    """A vote between two, by their places: `share` is 1 where the first is better, 0 where the second is, 0.5 for a tie."""

    first: int
    second: int
    share: float


@dataclass(frozen=True, eq=False)
class Strengths:
    """The posterior of everybody's strength: `mean` [candidates] and `covariance` [candidates, candidates]."""

    mean: Floats
    covariance: Floats

    def above(self, first: int, second: int) -> float:
        """How sure it is that the first is better than the second, 0..1."""
        apart = self.mean[first] - self.mean[second]
        spread = np.sqrt(_variance(self.covariance, first, second))
        return 0.5 if first == second else NormalDist().cdf(float(apart / spread))

    def values(self) -> Floats:
        """The chance that each is preferred to one of average strength, 0..1 [candidates]; uncertainty draws it towards a half
        (MacKay 1992, equation 10)."""
        return sigmoid(self.mean / np.sqrt(1.0 + np.pi / 8.0 * np.diag(self.covariance)))


def strengths(count: int, votes: Sequence[Preference], spread: float = SPREAD) -> Strengths:
    """The posterior of `count` candidates' strengths, by Newton's method; the logarithm of the posterior is concave."""
    first = np.array([vote.first for vote in votes], dtype=np.int64)
    second = np.array([vote.second for vote in votes], dtype=np.int64)
    share = np.array([vote.share for vote in votes], dtype=np.float64)
    mean = np.zeros(count)
    for _ in range(_STEPS):
        expected = sigmoid(mean[first] - mean[second])
        slope = -mean / spread**2
        np.add.at(slope, first, share - expected)
        np.add.at(slope, second, expected - share)
        step = np.linalg.solve(_curvature(count, first, second, expected, spread), slope)
        # a longer step could leave the region where the curvature is that of the mode
        mean = mean + step / max(1.0, float(np.abs(step).max(initial=0.0)))
        if np.abs(step).max(initial=0.0) < _SMALL:
            break
    expected = sigmoid(mean[first] - mean[second])
    return Strengths(mean, np.asarray(np.linalg.inv(_curvature(count, first, second, expected, spread)), dtype=np.float64))


def sigmoid(apart: Floats) -> Floats:
    """1 / (1 + exp(-apart))."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * apart)))


def _curvature(count: int, first: NDArray[np.int64], second: NDArray[np.int64], expected: Floats, spread: float) -> Floats:
    """The negative second derivatives of the posterior's logarithm, [candidates, candidates]."""
    weight = expected * (1.0 - expected)
    curvature = np.eye(count) / spread**2
    for one, other, sign in ((first, first, 1), (second, second, 1), (first, second, -1), (second, first, -1)):
        np.add.at(curvature, (one, other), sign * weight)
    return curvature


def _variance(covariance: Floats, first: int, second: int) -> float:
    return float(covariance[first, first] + covariance[second, second] - 2.0 * covariance[first, second])
