"""Model Stock: between the base and the mean of the models, by the angle between their task vectors (arXiv 2403.19522)."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor
from torch.linalg import vector_norm

from evomerge_core.methods.method import register
from evomerge_core.methods.parts.reductions import dot, norm

_SMALLEST_PRODUCT = 1e-6
_SMALLEST_DIVISOR = 1e-6


@register("model_stock", min_sources=2)
def model_stock(tensors: list[Tensor], base: Tensor, *, filter_wise: bool = False) -> Tensor:
    """t * mean + (1 - t) * base with t = N c / (1 + (N - 1) c), c the mean cosine over pairs of task vectors.

    One t for the tensor; `filter_wise`, one for each vector along its last dimension. t = 0 where the divisor vanishes.
    """
    deltas = [tensor - base for tensor in tensors]
    pairs = list(combinations(deltas, 2))
    cosine = sum((_cosine(a, b, filter_wise) for a, b in pairs), torch.zeros((), device=base.device)) / len(pairs)
    divisor = 1 + (len(tensors) - 1) * cosine
    vanishes = divisor.abs() < _SMALLEST_DIVISOR
    t = torch.where(vanishes, 0.0, len(tensors) * cosine / divisor.masked_fill(vanishes, 1)).to(base.dtype)
    mean = torch.zeros_like(base)
    for tensor in tensors:
        mean += tensor
    mean /= len(tensors)
    return t * mean + (1 - t) * base


def _cosine(left: Tensor, right: Tensor, filter_wise: bool) -> Tensor:
    if filter_wise:
        lengths: Tensor = vector_norm(left, dim=-1, keepdim=True) * vector_norm(right, dim=-1, keepdim=True)
        product = (left * right).sum(dim=-1, keepdim=True)
    else:
        lengths = torch.tensor(norm(left) * norm(right), device=left.device)
        product = torch.tensor(dot(left, right), device=left.device)
    return (product / lengths.clamp(min=_SMALLEST_PRODUCT)).clamp(-1, 1)
