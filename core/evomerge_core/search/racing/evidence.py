"""Which candidates may be dropped: a paired sequential test whose error rate holds however often one looks.

Each candidate plays a game against the present better half of its generation. At every item it gains what the better half
scored on average less what it scored itself, D in [-1, 1], and bets a fixed share of its capital on it. While the candidate
is as good as those that it is compared with, no betting strategy makes capital grow on average; so by Ville's inequality the
capital ever reaches 1 / error with a probability of at most `error`: that is the chance to drop such a candidate, whatever
the number of looks, of items and of other candidates. No correction for several looks is needed.

The better half at an item is that of the items before it, which keeps the comparison fair although it is chosen by scores.
Sources: racing as in Maron and Moore 1994 (Hoeffding races), F-Race (Birattari et al. 2002) and, for the better half of a
CMA-ES generation, Heidrich-Meisner and Igel 2009; test by betting after Waudby-Smith and Ramdas 2023, which needs neither
0/1 scores nor their distribution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

# Shares of the capital that are bet, averaged: small ones win long races of small differences, large ones short clear ones.
_BETS = np.linspace(0.1, 0.9, 9)


def capital(values: Matrix, order: Matrix, better: int) -> Vector:
    """The evidence against each candidate after its last item, 1 at the start; float64 [candidates].

    `values` (0..1) and `order` are [candidates, items] in the order of asking, NaN from where a candidate was out of the
    race: the scores that count, and the numbers (scores with ties broken) whose sums say which `better` candidates lead.
    """
    logs = np.zeros((len(values), len(_BETS)))
    lead = np.zeros(len(values))
    for scores, points in zip(values.T, order.T, strict=True):
        there = ~np.isnan(scores)
        ahead = there & (lead >= np.sort(lead[there])[-min(better, there.sum())])
        logs[there] += np.log1p(_BETS * (scores[ahead].mean() - scores[there])[:, None])
        lead[there] += points[there]
    return np.asarray(np.exp(logs).mean(axis=1))


def broken(losses: Vector, parent: Vector, *, margin: float, error: float) -> bool:
    """Whether correct answers are so much less likely than for a parent that the candidate must be broken.

    `losses` and `parent` are mean negative log-likelihoods per token in nats, item by item. The same betting, on whether the
    loss is more than `margin` above the parent's: a candidate for which that is so on no more than half of the task's items
    is called broken with a probability of at most `error`.
    """
    worse = np.where(losses > parent + margin, 1.0, -1.0)
    return bool(np.exp(np.log1p(_BETS[:, None] * worse).sum(axis=1)).mean() >= 1.0 / error)
