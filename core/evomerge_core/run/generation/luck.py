"""How much of a winner's score is luck: it was chosen for that score, among others whose scores are uncertain too.

Empirical Bayes: the contenders' scores together show how far apart contenders truly are, and given that, what is likely behind
the highest of them. Where all are about as good, the highest is mostly luck; one that stands alone keeps what it has. The
distribution of true scores is the nonparametric maximum likelihood estimate (Robbins 1950, Kiefer and Wolfowitz 1956; as
shrinkage Jiang and Zhang 2009), which takes groups and outliers as they come. Nothing of the test is needed.

Choosing again on a part of the items and looking at the rest is as unbiased, but errs half as much again where contenders are
alike (`tests/benchmarks/final_simulation.py` has the figures of this one).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEVELS = 101  # of true scores, from the lowest to the highest that was seen
_STEPS = 100  # of expectation maximisation; more change nothing that is shown


def expected_score(values: NDArray[np.float64], chosen: int) -> float:
    """The score in 0..1 that the contender with index `chosen` can be expected to have on new items.

    `values` are scores in 0..1, [contenders, items], of contenders that were asked the same items; how hard these are affects
    all of them alike, and is no part of their differences.
    """
    contenders, items = values.shape
    scores = values.mean(axis=1)
    if contenders < 2 or items < 2 or scores.min() == scores.max():
        return float(scores[chosen])
    rest = values - scores[:, None] - values.mean(axis=0) + values.mean()
    variance = (rest**2).sum() / ((contenders - 1) * (items - 1)) / items
    if variance <= 0:
        return float(scores[chosen])
    levels = np.linspace(scores.min(), scores.max(), _LEVELS)
    distance = (scores[:, None] - levels) ** 2 / variance
    # the nearest level has likelihood 1, so that none underflows
    likelihood = np.exp(-0.5 * (distance - distance.min(axis=1, keepdims=True)))
    shares = np.full(_LEVELS, 1.0 / _LEVELS)
    for _ in range(_STEPS):
        shares = _posterior(likelihood, shares).mean(axis=0)
    return float(_posterior(likelihood, shares)[chosen] @ levels)


def _posterior(likelihood: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely each level is for each contender; [contenders, levels]."""
    joint = likelihood * shares
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))
