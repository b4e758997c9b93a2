"""Task arithmetic: weighted task vectors added to the base (arXiv 2212.04089)."""

from __future__ import annotations

from torch import Tensor

from evomerge_core.methods.method import PerSource, for_each, register
from evomerge_core.methods.parts.task_vectors import add_all


@register("task_arithmetic")
def task_arithmetic(
    tensors: list[Tensor], base: Tensor, *, weight: PerSource, normalize: bool = False, lambda_: float = 1.0
) -> Tensor:
    """base + lambda * sum(weight * (tensor - base)), the sum divided by that of the weights when `normalize`."""
    deltas = [tensor - base for tensor in tensors]
    return add_all(base, deltas, for_each(weight, tensors), normalize=normalize, lambda_=lambda_)
