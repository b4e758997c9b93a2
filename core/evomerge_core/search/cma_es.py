"""CMA-ES (pycma) as an ask-and-tell optimiser within bounds, exactly repeatable from a seed and a history."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from evomerge_core.search.optimizer import Genome

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pycma warns at import where matplotlib is missing
    import cma

# pycma's signals that the distribution itself has nothing left to sample. The others (flat fitness, stagnation, small
# improvements) are what small item sets with many ties look like, and do not end a search.
_EXHAUSTED = frozenset({"tolx", "tolxstagnation", "noeffectaxis", "noeffectcoord", "conditioncov"})
_MOST_WITH_COVARIANCE = 100  # numbers; see `CmaEs`
_SMALLEST_STEP = 1e-3  # of the range: merges closer than this score alike


def population_size(dimension: int) -> int:
    """The paper's (and Hansen's) default: 4 + floor(3 ln n)."""
    return 4 + int(3 * np.log(dimension))


class CmaEs:
    """CMA-ES over the box [low, high]; `start` is the first mean, `sigma` the first step as a fraction of the range.

    `steps` says how much of that step each number takes (None: all of it), `integers` which numbers are whole; pycma's own
    handling keeps those from settling between two values (LB+IC-CMA-ES, Marty et al. 2024). With `start_first` the first
    candidate is `start` itself. Above 100 numbers the covariance is a diagonal (sep-CMA-ES, Ros and Hansen 2008): a full
    one has more entries than a budget has candidates.

    Without `whole_ranking` only the better half is known in order (races): what the worse half has in common then moves
    nothing (no negative weights, as in Hansen and Ostermeier 2001).

    Only the ranking of a generation counts; failed candidates share the last rank. A distribution that has collapsed
    starts again from `start` with twice the population (IPOP, Auger and Hansen 2005).
    """

    def __init__(
        self,
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        start: NDArray[np.float64],
        *,
        steps: NDArray[np.float64] | None = None,
        integers: Sequence[int] = (),
        start_first: bool = False,
        sigma: float = 1 / 6,
        population: int | None = None,
        seed: int = 0,
        whole_ranking: bool = True,
    ) -> None:
        self._integers = list(integers)
        whole = np.isin(np.arange(len(low)), self._integers)
        # pycma rounds whole numbers, so they are searched as they are; the others as parts of their range
        self._offset, self._unit = np.where(whole, 0.0, low), np.where(whole, 1.0, high - low)
        self._least, self._most = self._inside(low), self._inside(high)
        self._bounds = [_at_least_two(self._least - 0.5 * whole), _at_least_two(self._most + 0.5 * whole)]
        self._start = _at_least_two(self._inside(start))
        own = np.ones(len(low)) if steps is None else steps
        self._deviations = _at_least_two(own * (high - low) / self._unit)
        self._start_first = start_first
        self._sigma = sigma
        self._whole_ranking = whole_ranking
        self._population = population or population_size(len(low))
        self._random = np.random.RandomState(seed % 2**32)
        self._asked: list[NDArray[np.float64]] | None = None
        self._strategy = self._new_strategy()

    def ask(self) -> list[Genome]:
        if self._asked is not None:
            raise RuntimeError("ask() before tell(): the last generation has no fitness yet")
        if _EXHAUSTED & set(self._strategy.stop()):
            self._population *= 2
            self._strategy = self._new_strategy()
        self._asked = self._strategy.ask()
        return [self._genome(x) for x in self._asked]

    def tell(self, fitness: Sequence[float | None]) -> None:
        if self._asked is None or len(fitness) != len(self._asked):
            raise RuntimeError("tell() needs the fitness of every genome of the last ask()")
        costs = [np.inf if f is None or np.isnan(f) else -f for f in fitness]
        with self._own_randomness(), warnings.catch_warnings():
            # a diagonal clips large steps, and says so each time
            warnings.filterwarnings("ignore", "elements of z2", UserWarning)
            self._strategy.tell(self._asked, list(rankdata(costs)))
        self._asked = None

    @property
    def sigma(self) -> float:
        """The present step size, as a fraction of the range."""
        return float(self._strategy.sigma)

    @property
    def mean(self) -> Genome:
        """The present mean of the search."""
        return self._genome(self._strategy.boundary_handler.transform(self._strategy.mean))

    def _inside(self, genome: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((genome - self._offset) / self._unit)

    def _genome(self, x: NDArray[np.float64]) -> Genome:
        x = np.clip(x[: len(self._least)], self._least, self._most)
        x[self._integers] = np.round(x[self._integers])
        return np.asarray(self._offset + self._unit * x)

    def _new_strategy(self) -> Any:
        options: dict[str, Any] = {
            "bounds": [bound.tolist() for bound in self._bounds],
            "popsize": self._population,
            "randn": self._random.randn,
            "seed": np.nan,
            "tolx": _SMALLEST_STEP,
            "CMA_active": self._whole_ranking,
            "integer_variables": self._integers,
            "CMA_diagonal": len(self._start) > _MOST_WITH_COVARIANCE,
            "verbose": -9,
        }
        if np.any(self._deviations != 1.0):
            options["CMA_stds"] = self._deviations.tolist()
        strategy = cma.CMAEvolutionStrategy(self._start.tolist(), self._sigma, options)
        if self._start_first:
            strategy.inject([strategy.mean], force=True)
        return strategy

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """pycma repairs whole numbers with numpy's global generator: it gets our seed, and its state is restored afterwards."""
        if not self._integers:
            yield
            return
        before = np.random.get_state()
        np.random.seed(self._random.randint(2**32, dtype=np.uint64))
        try:
            yield
        finally:
            np.random.set_state(before)


def _at_least_two(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """pycma can't search a line: a single number gets a second one that has no effect."""
    return np.resize(numbers, max(2, len(numbers)))
