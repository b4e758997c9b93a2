"""A search space of paths: what its two encodings have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from statistics import NormalDist

from evomerge_core.errors import InputError
from evomerge_core.files.fields import ParameterRange
from evomerge_core.genome.dimension import Dimension, Dimensions, Vector
from evomerge_core.paths.path import Path, Pool

USUAL_SIGMA = 1 / 6  # the search's usual first step, as a part of each range
# How many places of A's own path a candidate of the first generation changes on average.
_FIRST_CHANGES = 2
# By how much the product of all scales of A's path deviates in the first generation. Measured on the quickstart's child of 30
# layers, search score of 8 random candidates against 0.56 unscaled: at 0.11 0.51, at 0.27 0.45, at 0.55 0.31, at 1 0.03.
_FIRST_GAIN = 0.25


@dataclass(frozen=True)
class PathSpace(Dimensions):
    """Vectors of numbers to paths through the layers of `pool` and back; every vector within the bounds is a path."""

    pool: Pool

    @property
    @abstractmethod
    def most_layers(self) -> int:
        """The most layers that a path can have."""

    @abstractmethod
    def to_path(self, vector: Vector) -> Path:
        """The path that a vector means; ValueError unless it has `dimension` finite numbers."""

    @abstractmethod
    def to_vector(self, path: Path) -> Vector:
        """A vector that means exactly this path; InputError when there is none."""


def not_from_here(path: Path, space: PathSpace, problem: str) -> InputError:
    """The error for a path that an encoding can't express."""
    return InputError(f"a path of {len(path.hops)} layers is not from this space of {space.dimension} numbers: {problem}")


def border(places: int) -> float:
    """How many standard deviations a place's border to its other choice must lie off, so that of so many places
    `_FIRST_CHANGES` cross it on average."""
    return NormalDist().inv_cdf(1 - min(0.4, _FIRST_CHANGES / places))


def scale_dimension(pool: Pool, limits: ParameterRange, source: str | None, group: str) -> Dimension:
    """The number that scales a hop. Its first step is small enough that A's own path still works."""
    deviation = _FIRST_GAIN / math.sqrt(pool.layers)
    step = min(1.0, deviation / (USUAL_SIGMA * (limits.high - limits.low)))
    return Dimension("scale", source, group, limits.low, limits.high, limits.start, step)
