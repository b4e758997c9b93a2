"""The numbers of a genome: what each is, and all of them as the box that an optimiser searches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Dimension:
    """One number of a genome. `source` is a label, None when no single source has the number; `whole` numbers are integers.

    `step` is how much of the search's first step it takes: 1 is all, the same part of the range for all numbers.
    """

    parameter: str
    source: str | None
    group: str
    low: float
    high: float
    start: float
    step: float = 1.0
    whole: bool = False

    @property
    def name(self) -> str:
        """`weight·japanese·layers 0-7`."""
        return "·".join(word for word in (self.parameter, self.source, self.group) if word)


@dataclass(frozen=True)
class GenomeNumber:
    """One number of a genome as screens and reports show it."""

    group: str
    source: str | None
    parameter: str
    value: float


class Dimensions(ABC):
    """A search space by its dimensions: the `Box` of an optimiser."""

    @property
    @abstractmethod
    def dimensions(self) -> tuple[Dimension, ...]:
        """What each number of a vector is."""

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return len(self.dimensions)

    @property
    def names(self) -> tuple[str, ...]:
        """The dimensions' names."""
        return tuple(dimension.name for dimension in self.dimensions)

    @property
    def low(self) -> Vector:
        """The lowest values, [dimension]."""
        return np.array([dimension.low for dimension in self.dimensions])

    @property
    def high(self) -> Vector:
        """The highest values, [dimension]."""
        return np.array([dimension.high for dimension in self.dimensions])

    @property
    def start(self) -> Vector:
        """Where the search starts, [dimension]."""
        return np.array([dimension.start for dimension in self.dimensions])

    @property
    def steps(self) -> Vector:
        """Each number's part of the search's first step, [dimension]."""
        return np.array([dimension.step for dimension in self.dimensions])

    @property
    def integers(self) -> tuple[int, ...]:
        """Which numbers are whole."""
        return tuple(index for index, dimension in enumerate(self.dimensions) if dimension.whole)

    def require_vector(self, vector: Vector) -> None:
        """ValueError unless the vector has `dimension` finite numbers."""
        if vector.shape != (self.dimension,) or not np.isfinite(vector).all():
            raise ValueError(f"a genome is {self.dimension} finite numbers, not {vector}")

    def describe(self, vector: Vector) -> tuple[GenomeNumber, ...]:
        """A vector's numbers with what they are, in the vector's order."""
        pairs = zip(self.dimensions, vector, strict=True)
        return tuple(
            GenomeNumber(dimension.group, dimension.source, dimension.parameter, float(value)) for dimension, value in pairs
        )
