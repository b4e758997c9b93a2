"""Multi-SLERP: the barycentre on a sphere, taken in the tangent space at the normalised mean."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.methods.method import PerSource, for_each, register
from evomerge_core.methods.parts.reductions import dot, norm

_SMALLEST = 1e-8


@register("multislerp")
def multislerp(
    tensors: list[Tensor], base: Tensor | None = None, *, weight: PerSource, normalize_weights: bool = True
) -> Tensor:
    """Unit vectors are projected to the tangent space at their weighted mean, averaged there and brought back.

    The result has the weighted mean of the norms. With a base the task vectors are merged and added to it. One model
    is returned as it is. InputError when the weights sum to 0, or when three or more vectors cancel out.
    """
    if len(tensors) == 1:
        return tensors[0]
    weights = _normalized(for_each(weight, tensors)) if normalize_weights else for_each(weight, tensors)
    vectors = tensors if base is None else [tensor - base for tensor in tensors]
    merged = _barycentre(vectors, weights)
    return merged if base is None else merged + base


def _barycentre(vectors: list[Tensor], weights: list[float]) -> Tensor:
    lengths = [norm(vector) for vector in vectors]
    units = [vector / (length + _SMALLEST) for vector, length in zip(vectors, lengths, strict=True)]
    mean = _weighted_sum(units, weights)
    mean_length = norm(mean)
    if mean_length < _SMALLEST:
        if len(vectors) == 2:
            return _weighted_sum(vectors, weights)
        raise InputError("the weighted directions cancel out", where="multislerp", remedy="change a weight")
    mean /= mean_length
    tangent = _weighted_sum([unit - mean * dot(unit, mean) for unit in units], weights)
    angle = norm(tangent) + _SMALLEST
    direction = mean * math.cos(angle) + tangent * (math.sin(angle) / angle)
    return direction * sum(length * weight for length, weight in zip(lengths, weights, strict=True))


def _weighted_sum(vectors: list[Tensor], weights: list[float]) -> Tensor:
    total = torch.zeros_like(vectors[0])
    for vector, weight in zip(vectors, weights, strict=True):
        total += vector * weight
    return total


def _normalized(weights: list[float]) -> list[float]:
    total = sum(weights)
    if total == 0:
        raise InputError("the weights sum to 0", where="multislerp", remedy="change one, or set normalize_weights: false")
    return [weight / total for weight in weights]
