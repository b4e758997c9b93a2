"""What a candidate is likely to score on new items, from the few that it was asked.

The highest of many scores on few items is high by luck too. Empirical Bayes with normal distributions (Efron and Morris 1973):
what all candidates of a run scored shows around which score they lie and how far apart they truly are; each score is moved
towards that middle, the more so the fewer items it is the mean of. The spread is the moment estimate of DerSimonian and Laird
(1986). Scores alone are needed, so that a list of thousands can be estimated while the run goes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from evomerge_core.run.statistics import wilson

# What a score by votes rests on, in place of a split.
VOTES = "votes"
# Candidates are never taken for all alike: where few were scored, the moments can't tell a spread of 3 points from none.
_LEAST_SPREAD = 0.03
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A score in 0..1 with its 95 % interval; `items` are those that it rests on, of `split`.

    One that votes have a part in rests on no number of items (0, `VOTES`) and has no interval: both ends are the score.
    """

    value: float
    low: float
    high: float
    items: int
    split: str


@dataclass(frozen=True)
class Population:
    """Around which score a run's candidates lie, and the standard deviation of their true scores; shares of 1."""

    middle: float
    spread: float

    def estimate(self, score: float, items: int, split: str = "search") -> Estimate:
        """The likely score of a candidate of this population that scored so on so many items."""
        noise, between = _noise(self.middle, score, items), self.spread**2
        weight = between / (between + noise)
        value = weight * score + (1 - weight) * self.middle
        half = _Z * math.sqrt(weight * noise)
        return Estimate(value, max(0.0, value - half), min(1.0, value + half), items, split)


def population(scores: Sequence[float], items: Sequence[int]) -> Population | None:
    """The population that scores on so many items each come from; None for fewer than two."""
    if len(scores) < 2:
        return None
    values, counts = np.asarray(scores, dtype=np.float64), np.maximum(1, np.asarray(items, dtype=np.float64))
    middle = float((values * counts).sum() / counts.sum())
    weights = counts / max(_item_variance(middle), 1e-6)
    excess = float((weights * (values - middle) ** 2).sum()) - (len(values) - 1)
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    return Population(middle, max(_LEAST_SPREAD, math.sqrt(max(0.0, excess / scale)) if scale > 0 else 0.0))


def own_estimate(score: float, items: int, split: str) -> Estimate:
    """A score that nobody chose for being high: it stands for itself. Wilson's interval (1927)."""
    return Estimate(score, *wilson(score * items, items), items, split)


def rating(score: float) -> Estimate:
    """A score that votes have a part in: no mean of right and wrong, of which a number of items would tell how sure it is. What
    votes are sure of is drawn into it already (`search/taste/bradley_terry.py`)."""
    return Estimate(score, score, score, 0, VOTES)


def _noise(middle: float, score: float, items: int) -> float:
    """The variance of a mean of so many items' scores. A score of 0 or 1 isn't certain: it counts as half-way to the middle."""
    return _item_variance((score + middle) / 2) / max(1, items)


def _item_variance(share: float) -> float:
    """The variance of right or wrong; graded scores vary less, so that it errs on the side of doubt."""
    return max(share * (1 - share), 1e-4)
