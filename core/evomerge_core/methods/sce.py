"""SCE: select entries by variance, weigh models by their squares, erase the minority's signs (arXiv 2408.07990)."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from evomerge_core.methods.method import Bounds, register
from evomerge_core.methods.parts.reductions import dot
from evomerge_core.methods.parts.sparsify import largest
from evomerge_core.methods.parts.task_vectors import agreement

_SMALLEST_SUM = 1e-6
_SMALLEST_DIVISOR = 1e-6


@register("sce")
def sce(tensors: list[Tensor], base: Tensor, *, select_topk: Annotated[float, Bounds(0.0, 1.0)] = 1.0) -> Tensor:
    """base + the weighted mean, per entry, of the selected task vectors that agree with the sign of their sum.

    `select_topk` is the part of the entries whose variance over the models isn't 0 that is selected, the largest first.
    """
    deltas = [tensor - base for tensor in tensors]
    if select_topk < 1:
        selected = _selected(deltas, select_topk)
        deltas = [delta * selected for delta in deltas]
    total, divisor = torch.zeros_like(base), torch.zeros_like(base)
    for delta, agrees, weight in zip(deltas, agreement(deltas), _weights(deltas), strict=True):
        share = agrees * weight
        total += delta * share
        divisor += share
    return base + total / divisor.clamp(min=_SMALLEST_DIVISOR)


def _selected(deltas: list[Tensor], part: float) -> Tensor:
    variance = torch.var(torch.stack(deltas), dim=0, unbiased=False)
    return largest(variance, int(part * int(variance.count_nonzero())))


def _weights(deltas: list[Tensor]) -> list[float]:
    """Each task vector's mean square over the sum of all; equal weights when that sum is below 1e-6."""
    squares = [dot(delta, delta) / delta.numel() for delta in deltas]
    total = sum(squares)
    return [1 / len(deltas) if total < _SMALLEST_SUM else square / total for square in squares]
