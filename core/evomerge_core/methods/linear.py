"""Linear: the weighted mean of whole models, "model soup" (arXiv 2203.05482)."""

from __future__ import annotations

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.methods.method import PerSource, for_each, register
from evomerge_core.methods.parts.reductions import total_weight


@register("linear")
def linear(tensors: list[Tensor], *, weight: PerSource, normalize: bool = True) -> Tensor:
    """sum(weight * tensor), divided by the sum of the weights when `normalize`; float32 inside.

    InputError when that sum is 0.
    """
    weights = for_each(weight, tensors)
    divisor = total_weight(weights) if normalize else 1.0
    if divisor == 0:
        raise InputError("the weights sum to 0", where="linear", remedy="change one, or set normalize: false")
    total = torch.zeros_like(tensors[0], dtype=torch.float32)
    for tensor, one in zip(tensors, weights, strict=True):
        total.add_(tensor, alpha=one)
    return total.div_(divisor).to(tensors[0].dtype)
