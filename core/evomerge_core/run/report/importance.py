"""What mattered: how strongly each number of the genome went along with the score, among the candidates of a search.

Spearman's rank correlation inside of each generation: a race asks each generation other items, and a search moves, so that
scores of different generations can't be ranked together. The intervals are the bootstrap's (Efron 1979), over candidates. It
sees what goes up or down throughout: a number whose best value lies in the middle of what was tried shows little, and so does
one that the search soon stopped varying.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_RESAMPLES = 1000
# Fewer candidates rank by chance as well as by anything.
_FEWEST = 12
_LEAST_OF_A_GENERATION = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NumberImportance:
    """A number of the genome: its rank correlation with the score in -1..1, and the 95 % interval; `clear` where that doesn't
    hold 0."""

    name: str
    correlation: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Importance:
    """All numbers, those that matter most first, found from so many `candidates` in so many `generations`."""

    numbers: tuple[NumberImportance, ...]
    candidates: int
    generations: int


def importance(
    names: Sequence[str], genomes: Sequence[Sequence[float]], ranks: Sequence[float], generations: Sequence[int | None]
) -> Importance | None:
    """Of candidates with genomes of `names`, ranked by anything that is higher for a better one; None for too few.

    A number that never changed has correlation 0 and the interval -1..1: nothing is known of it.
    """
    groups: dict[int | None, list[int]] = {}
    for place, generation in enumerate(generations):
        groups.setdefault(generation, []).append(place)
    used = [places for places in groups.values() if len(places) >= _LEAST_OF_A_GENERATION]
    count = sum(map(len, used))
    if not names or count < _FEWEST:
        return None
    values, worth = np.asarray(genomes, dtype=np.float64), np.asarray(ranks, dtype=np.float64)
    numbers = np.concatenate([_centred(values[places]) for places in used])
    scores = np.concatenate([_centred(worth[places][:, None]) for places in used])
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_RESAMPLES).astype(np.float64)
    found = _correlations(np.ones((1, count)), numbers, scores)[0]
    low, high = np.nanquantile(np.nan_to_num(_correlations(drawn, numbers, scores)), [0.025, 0.975], axis=0)
    known = np.isfinite(found)
    all_numbers = [
        NumberImportance(name, float(rho), float(least), float(most)) if sure else NumberImportance(name, 0.0, -1.0, 1.0)
        for name, rho, least, most, sure in zip(names, found, low, high, known, strict=True)
    ]
    ordered = sorted(all_numbers, key=lambda one: (not one.clear, -abs(one.correlation), one.name))
    return Importance(tuple(ordered), count, len(used))


def _centred(columns: Floats) -> Floats:
    """Ranks of each column in -0.5..0.5, so that generations of any size weigh by their candidates."""
    ranks: Floats = np.asarray(rankdata(columns, axis=0), dtype=np.float64)
    centred: Floats = (ranks - ranks.mean(axis=0)) / len(columns)
    return centred


def _correlations(weights: Floats, numbers: Floats, scores: Floats) -> Floats:
    """A row for each row of weights, of the weighted correlation of each column with the scores; nan without variation."""
    total = weights.sum(axis=1, keepdims=True)
    mean, middle = weights @ numbers / total, weights @ scores / total
    covariance = weights @ (numbers * scores) / total - mean * middle
    spread = np.maximum(0.0, weights @ numbers**2 / total - mean**2) * np.maximum(0.0, weights @ scores**2 / total - middle**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(spread > 1e-18, covariance / np.sqrt(spread), np.nan)
    return found


def ranking(ordered: Iterable[str]) -> Mapping[str, float]:
    """Ranks by label from labels, the best first: higher is better."""
    labels = list(ordered)
    return {label: float(len(labels) - place) for place, label in enumerate(labels)}
