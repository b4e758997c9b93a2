"""The protocol between a search and the run: ask for a generation, tell its fitness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Genome = NDArray[np.float64]


class Optimizer(Protocol):
    """Ask-and-tell. The same seed and the same fitness give the same genomes, so telling a stored history
    again brings an optimiser back to where it was."""

    @property
    def sigma(self) -> float:
        """The present step size, as a fraction of the range."""
        ...

    @property
    def mean(self) -> Genome:
        """The present mean of the search, float64 [dimension]."""
        ...

    def ask(self) -> list[Genome]:
        """The genomes of the next generation, within the bounds; asking twice without telling is an error."""
        ...

    def tell(self, fitness: Sequence[float | None]) -> None:
        """The asked genomes' fitness in their order, higher is better; None for a candidate that failed."""
        ...
