"""Which two should be compared next: those whose vote tells most about who is best.

What a vote tells about the best is the mutual information of both,

    I(vote; best) = H(E[p]) - sum over candidates b of P(best = b) H(E[p | best = b])

where p is the chance that the first is preferred, H the entropy of such a chance, and expectations are over the strengths'
posterior: entropy search (Hennig and Schuler 2012), asked about a pair instead of a point. Pairs of which everybody knows the
outcome tell nothing, nor do pairs of whom neither can be the best.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from evomerge_core.search.taste.before_votes import Floats
from evomerge_core.search.taste.bradley_terry import Strengths, sigmoid

# Draws of everybody's strengths that stand for the posterior.
_DRAWS = 1000
# Of many, those who may be the best.
_MOST = 24
# Information below this, in nats, is a rounding error: of such pairs any is as good.
_DIGITS = 9

Pair = tuple[int, int]


def telling_pairs(known: Strengths, allowed: Collection[Pair], seed: int) -> list[Pair]:
    """The `allowed` pairs, the most telling first; of equals the earlier in their order. `seed` decides the draws."""
    pairs = sorted(allowed)
    told = information(known, seed)
    return sorted(pairs, key=lambda pair: -told[pair])


def information(known: Strengths, seed: int) -> Floats:
    """What a vote between any two is expected to tell about who is best, in nats: [candidates, candidates]. 0 for those of whom
    neither is among the most promising."""
    count = len(known.mean)
    promising = np.sort(np.argsort(-(known.mean + np.sqrt(np.diag(known.covariance))), kind="stable")[:_MOST])
    told = np.zeros((count, count))
    told[np.ix_(promising, promising)] = _information(_draws(known, promising, seed))
    return np.round(told, _DIGITS)


def chances_to_be_best(known: Strengths, seed: int = 0) -> Floats:
    """How sure it is of each that it is the best of all, [candidates]; they sum to 1."""
    draws = _draws(known, np.arange(len(known.mean)), seed)
    return np.asarray(np.bincount(draws.argmax(axis=1), minlength=draws.shape[1]) / len(draws))


def _draws(known: Strengths, some: np.ndarray, seed: int) -> Floats:
    """Strengths of some as the posterior has them, [draws, some]."""
    root = np.linalg.cholesky(known.covariance[np.ix_(some, some)])
    normal = np.random.default_rng(seed).standard_normal((_DRAWS, len(some)))
    return np.asarray(known.mean[some] + normal @ root.T)


def _information(draws: Floats) -> Floats:
    count = draws.shape[1]
    preferred = sigmoid(draws[:, :, None] - draws[:, None, :]).reshape(len(draws), -1)
    is_best = np.eye(count)[draws.argmax(axis=1)]
    times = is_best.sum(axis=0)
    given = (is_best.T @ preferred) / np.maximum(times, 1.0)[:, None]
    told = _entropy(preferred.mean(axis=0)) - (times / len(draws)) @ _entropy(given)
    return np.asarray(np.maximum(told, 0.0).reshape(count, count))


def _entropy(chance: Floats) -> Floats:
    inside = np.clip(chance, 1e-12, 1.0 - 1e-12)
    return np.asarray(-inside * np.log(inside) - (1.0 - inside) * np.log(1.0 - inside))
