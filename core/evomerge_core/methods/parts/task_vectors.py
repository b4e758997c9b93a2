"""The second half of every task vector method: task vectors, thinned or not, added to the base."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evomerge_core.methods.parts.reductions import total_weight

_SMALLEST_SUM = 1e-8


def add_all(base: Tensor, deltas: Sequence[Tensor], weights: Sequence[float], *, normalize: bool, lambda_: float) -> Tensor:
    """base + lambda * the weighted sum of the task vectors, divided by the sum of the weights when `normalize`.

    A sum of weights within 1e-8 of 0 divides by 1.
    """
    total = torch.zeros_like(base)
    for delta, weight in zip(deltas, weights, strict=True):
        total += delta * weight
    if normalize:
        divisor = total_weight(weights)
        total /= 1.0 if abs(divisor) < _SMALLEST_SUM else divisor
    return _added(base, total, lambda_)


def add_agreeing(
    base: Tensor, deltas: Sequence[Tensor], weights: Sequence[float], *, normalize: bool, lambda_: float
) -> Tensor:
    """base + lambda * the weighted sum of the entries that agree with the elected sign (TIES, arXiv 2306.01708).

    `normalize` divides each entry by the sum of the signed weights of those that agree; a sum of exactly 0 is taken as 1.
    """
    weighted = [delta * weight for delta, weight in zip(deltas, weights, strict=True)]
    total = torch.zeros_like(base)
    divisor = torch.zeros_like(base)
    for vector, agrees, weight in zip(weighted, agreement(weighted), weights, strict=True):
        total += vector * agrees
        divisor += agrees * weight
    if normalize:
        total /= divisor.masked_fill_(divisor == 0, 1)
    return _added(base, total, lambda_)


def agreement(weighted: Sequence[Tensor]) -> list[Tensor]:
    """For each weighted task vector, where its sign is the elected one: that of the sum, + when the sum is 0.

    An entry of 0 never agrees.
    """
    total = torch.zeros_like(weighted[0])
    for vector in weighted:
        total += vector
    positive = total >= 0
    return [torch.where(positive, vector > 0, vector < 0) for vector in weighted]


def _added(base: Tensor, total: Tensor, lambda_: float) -> Tensor:
    if lambda_ != 1:
        total *= lambda_
    return total.add_(base)
