"""TIES: trim each task vector, elect a sign per entry, merge the entries that agree (arXiv 2306.01708)."""

from __future__ import annotations

from torch import Tensor

from evomerge_core.methods.method import Density, PerSource, for_each, register
from evomerge_core.methods.parts.sparsify import trim
from evomerge_core.methods.parts.task_vectors import add_agreeing


@register("ties")
def ties(
    tensors: list[Tensor],
    base: Tensor,
    *,
    weight: PerSource,
    density: Density = 1.0,
    normalize: bool = True,
    rescale: bool = False,
    lambda_: float = 1.0,
) -> Tensor:
    """`density` is the part of each task vector that stays, the largest first; `rescale` gives it back its L1 norm."""
    sources = zip(tensors, for_each(density, tensors), strict=True)
    deltas = [trim(tensor - base, kept, rescale) for tensor, kept in sources]
    return add_agreeing(base, deltas, for_each(weight, tensors), normalize=normalize, lambda_=lambda_)
