"""SLERP: along the great circle from the base to another model."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evomerge_core.methods.method import register
from evomerge_core.methods.parts.reductions import dot

_SMALLEST_NORM = 1e-8
_PARALLEL = 0.9995


@register("slerp", max_sources=1)
def slerp(tensors: list[Tensor], base: Tensor, *, t: float) -> Tensor:
    """The base at t = 0, the other model at t = 1; each tensor is one vector, float32 inside.

    The angle is that between the unit vectors; above 0.9995 of cosine, either way, the line is taken instead.
    """
    start, end = base.float(), tensors[0].float()
    from_start, from_end = great_circle_weights(cosine(dot(start, start), dot(end, end), dot(start, end)), t)
    return (start * from_start).add_(end * from_end).to(base.dtype)


def cosine(start: float, end: float, both: float) -> float:
    """Of the angle between two vectors, by their dot products with themselves and with each other."""
    return both / (_length(start) * _length(end))


def great_circle_weights(cosine: float, t: float) -> tuple[float, float]:
    """How much of either end makes the vector at `t`."""
    if abs(cosine) > _PARALLEL:
        # In float32 like the rest: the last digit shows where both ends cancel.
        return float(1 - torch.tensor(t, dtype=torch.float32)), t
    angle = math.acos(cosine)
    return math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)


def _length(square: float) -> float:
    length = math.sqrt(square)
    return length if length > _SMALLEST_NORM else 1.0
