"""Arcee Fusion: takes from the other model only what matters much, by distance and by how far the rows differ (arcee.ai)."""

from __future__ import annotations

import torch
from torch import Tensor

from evomerge_core.methods.method import register
from evomerge_core.methods.parts.order_statistics import nth_smallest

_SMALLEST_SHARE = 1e-8
_RANGES = 1.5


@register("arcee_fusion", max_sources=1)
def arcee_fusion(tensors: list[Tensor], base: Tensor) -> Tensor:
    """The base, with the entries of the other model whose importance is at least the median + 1.5 interquartile ranges.

    An entry's importance is its distance from the base times its row's divergence (Kullback-Leibler) between the softmax of
    the two models' rows along the last dimension. Quartiles are those of the whole tensor, as in mergekit up to a million
    entries; of larger tensors mergekit draws a million at random.
    """
    importance = (tensors[0] - base).abs() * _divergence(tensors[0], base)
    quarter, median, three_quarters = _quartiles(importance)
    taken = importance >= median + _RANGES * (three_quarters - quarter)
    return base + (tensors[0] - base) * taken


def _divergence(tensor: Tensor, base: Tensor) -> Tensor:
    """One number per row; shares that vanish count as 1e-8."""
    share = torch.softmax(tensor, dim=-1) + _SMALLEST_SHARE
    of_base = torch.softmax(base, dim=-1) + _SMALLEST_SHARE
    return (share * torch.log(share / of_base)).sum(dim=-1, keepdim=True)


def _quartiles(values: Tensor) -> tuple[float, float, float]:
    """The entries at a quarter, a half and three quarters of the way from the smallest to the largest, rounded down."""
    first, second, third = (nth_smallest(values, part * (values.numel() - 1) // 4 + 1) for part in (1, 2, 3))
    return first, second, third
