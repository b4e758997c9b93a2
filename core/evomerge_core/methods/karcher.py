"""Karcher mean: the point of the sphere with the least sum of squared angles to all models (arXiv 2603.04972)."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from evomerge_core.methods.method import Bounds, register
from evomerge_core.methods.parts.reductions import dot, norm


@register("karcher")
def karcher(
    tensors: list[Tensor], *, max_iter: Annotated[int, Bounds(low=0)] = 10, tol: Annotated[float, Bounds(low=0)] = 1e-5
) -> Tensor:
    """The mean direction of the tensors, each as one vector, times their mean norm.

    At most `max_iter` steps, until a step is shorter than `tol` (an angle in radians). Tensors whose norm is at most
    `tol` have no direction: they only count in the mean norm. One model is returned as it is.
    """
    if len(tensors) == 1:
        return tensors[0]
    lengths = [norm(tensor) for tensor in tensors]
    units = [tensor / length for tensor, length in zip(tensors, lengths, strict=True) if length > tol]
    if not units:
        return torch.zeros_like(tensors[0])
    return _mean_direction(units, max_iter, tol) * (sum(lengths) / len(lengths))


def _mean_direction(units: list[Tensor], max_iter: int, tol: float) -> Tensor:
    mean = torch.stack(units).mean(dim=0)
    length = norm(mean)
    mean = units[0].clone() if length < tol else mean / length
    for _ in range(max_iter):
        step = _step(mean, units, tol)
        angle = norm(step)
        if angle < tol:
            break
        mean = mean * math.cos(angle) + step * (math.sin(angle) / angle)
        mean /= norm(mean)
    return mean


def _step(mean: Tensor, units: list[Tensor], tol: float) -> Tensor:
    """The mean, in the tangent space, of the ways from `mean` to each unit vector: down the gradient of the cost."""
    step = torch.zeros_like(mean)
    for unit in units:
        cosine = max(-1.0, min(1.0, dot(mean, unit)))
        angle = math.acos(cosine)
        # Of an antipode no way is shorter than the others: its share is none.
        if tol <= angle < math.pi:
            step += (unit - mean * cosine) * (angle / math.sin(angle) / len(units))
    return step
