"""Intervals and paired tests: how sure a score is, and whether a child is better than its parent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist

import numpy as np

_RESAMPLES = 10_000
_SIGN_FLIPS = 100_000
_EXACT_FLIPS = 16


@dataclass(frozen=True)
class Paired:
    """Items where the first is better (`wins`) and worse (`losses`); `p` is two-sided, of no difference."""

    wins: int
    losses: int
    p: float


def wilson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927), within 0..1; (0, 1) when n is 0."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar(wins: int, losses: int) -> float:
    """McNemar's exact two-sided p: the binomial test of wins among the items that differ; 1 when none differs."""
    differing = wins + losses
    tail = sum(math.comb(differing, fewer) for fewer in range(min(wins, losses) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**differing)))


def bootstrap_mean(scores: Sequence[float], confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The percentile bootstrap interval (Efron 1979) of a mean, from 10,000 seeded resamples."""
    values = _finite(scores)
    if not len(values):
        raise ValueError("an interval needs at least one score")
    draws = np.random.default_rng(seed)
    means = [values[draws.integers(len(values), size=len(values))].mean() for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def interval(scores: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a mean score: Wilson's when every score is 0 or 1, else the bootstrap's."""
    if _binary(scores):
        return wilson(round(sum(scores)), len(scores), confidence)
    return bootstrap_mean(scores, confidence)


def compare(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Compares two models' scores on the same items, in the same order.

    Scores that are all 0 or 1: McNemar's exact test. Others, as ROUGE's or weighted ones: the paired sign-flip permutation
    test of the mean difference, which is the same test for 0 and 1. Raises `ValueError` for unequal lengths or nan.
    """
    if len(first) != len(second):
        raise ValueError(f"paired scores of {len(first)} and {len(second)} items")
    differences = _finite(first) - _finite(second)
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    p = mcnemar(wins, losses) if _binary(first) and _binary(second) else sign_flip(differences)
    return Paired(wins, losses, p)


def sign_flip(differences: Sequence[float] | np.ndarray, seed: int = 0) -> float:
    """The two-sided p of the sum of paired differences when each one's sign could as well be the other (Fisher 1935).

    Up to 16 differences other than 0: all their sign patterns. More: 100,000 seeded patterns and the observed one, so that
    p is never below 1e-5. 1 when none differs.
    """
    values = _finite(differences)
    values = values[values != 0]
    if not len(values):
        return 1.0
    observed = abs(values.sum())
    # Sums in another order differ in their last bits; equal ones must count as equal.
    enough = observed - 1e-9 * np.abs(values).sum()
    if len(values) <= _EXACT_FLIPS:
        patterns = np.arange(2 ** len(values))[:, None] >> np.arange(len(values)) & 1
        return float((np.abs((2 * patterns - 1) @ values) >= enough).mean())
    draws = np.random.default_rng(seed)
    reached = 1
    for _ in range(_SIGN_FLIPS // 1000):
        signs = 2.0 * draws.integers(2, size=(1000, len(values)), dtype=np.int8) - 1.0
        reached += int((np.abs(signs @ values) >= enough).sum())
    return reached / (_SIGN_FLIPS + 1)


def _binary(scores: Sequence[float]) -> bool:
    return all(score in (0, 1) for score in scores)


def _finite(scores: Sequence[float] | np.ndarray) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite numbers")
    return values
