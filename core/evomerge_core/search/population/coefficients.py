"""A member of a population as numbers: one coefficient for each group of tensors and each source, never weights.

A group of a member's tensors is the sum of its sources' tensors, each times its coefficient. Interpolating two such sums gives
another one, on a sphere too: the norms and the angle that it takes are known from the sources' dot products.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# float64 [groups, sources]
Coefficients = NDArray[np.float64]
# The dot products of the sources' tensors in each group, float64 [groups, sources, sources].
Gram = NDArray[np.float64]

# Below this sine of the angle two members point the same way, and a straight line is the sphere.
_SMALLEST_SINE = 1e-8


def dot(first: Coefficients, second: Coefficients, gram: Gram) -> float:
    """The dot product of two members' weights. Its bits depend neither on the processor nor on a library."""
    return math.fsum((first[:, :, None] * gram * second[:, None, :]).ravel().tolist())


def cross(first: Coefficients, second: Coefficients, *, split: int, share: float, gram: Gram) -> Coefficients:
    """The child of two members by split-point interpolation (arXiv 2508.16204): in the groups before `split` it lies on the
    sphere between them at `share` of the way from `first` to `second`, in the others at 1 - `share`.

    Norms and angle are those of the whole members, as in the authors' code.
    """
    lengths = math.sqrt(dot(first, first, gram)) * math.sqrt(dot(second, second, gram))
    cosine = dot(first, second, gram) / lengths if lengths > 0.0 else 1.0
    before, after = slerp_parts(cosine, share), slerp_parts(cosine, 1.0 - share)
    is_before = (np.arange(len(first)) < split)[:, None]
    child: Coefficients = np.where(is_before, before[0] * first + before[1] * second, after[0] * first + after[1] * second)
    return child


def slerp_parts(cosine: float, share: float) -> tuple[float, float]:
    """How much of each of two vectors spherical interpolation takes at a share of the way from the first to the second; of
    parallel ones, as a straight line does."""
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    sine = math.sin(angle)
    if sine < _SMALLEST_SINE:
        return 1.0 - share, share
    return math.sin((1.0 - share) * angle) / sine, math.sin(share * angle) / sine


def moved(coefficients: Coefficients, furthest: float, draw: np.random.Generator) -> Coefficients:
    """Each coefficient moved by up to `furthest`, evenly drawn; a source that the member has nowhere stays away."""
    return coefficients + draw.uniform(-furthest, furthest, size=coefficients.shape) * coefficients.any(axis=0)


def without_small(coefficients: Coefficients, least: float) -> Coefficients:
    """The coefficients without those below `least` of the largest in their group: what a child costs doesn't grow with every
    source that some ancestor had a trace of."""
    magnitudes = np.abs(coefficients)
    return np.where(magnitudes < least * magnitudes.max(axis=1, keepdims=True), 0.0, coefficients)
