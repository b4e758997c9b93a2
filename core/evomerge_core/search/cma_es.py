"""CMA-ES (pycma) as an ask-and-tell optimiser within bounds, exactly repeatable from a seed and a history."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from evomerge_core.search.optimizer import Genome

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pycma warns at import where matplotlib is missing
    import cma

# pycma's signals that the distribution itself has nothing left to sample; the others (flat fitness, stagnation, small
# improvements) are what small item sets with many ties look like, and end nothing.
_EXHAUSTED = frozenset({"tolx", "tolxstagnation", "noeffectaxis", "noeffectcoord", "conditioncov"})
_SMALLEST_STEP = 1e-3  # of the range: merges closer than this can't be told apart by their scores


def population_size(dimension: int) -> int:
    """The paper's (and Hansen's) default: 4 + floor(3 ln n)."""
    return 4 + int(3 * np.log(dimension))


class CmaEs:
    """CMA-ES over the box [low, high]; `start` is the first mean, `sigma` the first step as a fraction of the range.

    Only the ranking of a generation counts; failed candidates share the last rank. A distribution that has collapsed
    starts again from `start` with twice the population (IPOP, Auger and Hansen 2005).
    """

    def __init__(
        self,
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        start: NDArray[np.float64],
        *,
        sigma: float = 1 / 6,
        population: int | None = None,
        seed: int = 0,
    ) -> None:
        self._low, self._span = low, high - low
        # pycma can't search a line: a lone number gets an idle companion
        self._start = np.resize((start - low) / self._span, max(2, len(low)))
        self._sigma = sigma
        self._population = population or population_size(len(low))
        self._random = np.random.RandomState(seed % 2**32)
        self._asked: list[NDArray[np.float64]] | None = None
        self._strategy = self._new_strategy()

    def ask(self) -> list[Genome]:
        if self._asked is not None:
            raise RuntimeError("the last generation has not been told")
        if _EXHAUSTED & set(self._strategy.stop()):
            self._population *= 2
            self._strategy = self._new_strategy()
        self._asked = self._strategy.ask()
        return [self._genome(x) for x in self._asked]

    def tell(self, fitness: Sequence[float | None]) -> None:
        if self._asked is None or len(fitness) != len(self._asked):
            raise RuntimeError("a told generation must be the asked one")
        costs = [np.inf if f is None or np.isnan(f) else -f for f in fitness]
        self._strategy.tell(self._asked, list(rankdata(costs)))
        self._asked = None

    @property
    def sigma(self) -> float:
        """The present step size, as a fraction of the range."""
        return float(self._strategy.sigma)

    @property
    def mean(self) -> Genome:
        """The present centre of the search."""
        return self._genome(self._strategy.boundary_handler.transform(self._strategy.mean))

    def _genome(self, x: NDArray[np.float64]) -> Genome:
        return np.asarray(self._low + self._span * np.clip(x[: len(self._low)], 0.0, 1.0))

    def _new_strategy(self) -> Any:
        options = {
            "bounds": [0.0, 1.0],
            "popsize": self._population,
            "randn": self._random.randn,
            "seed": np.nan,
            "tolx": _SMALLEST_STEP,
            "verbose": -9,
        }
        return cma.CMAEvolutionStrategy(self._start.tolist(), self._sigma, options)
