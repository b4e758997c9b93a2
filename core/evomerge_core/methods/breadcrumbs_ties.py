"""Model Breadcrumbs with TIES: task vectors without their largest and smallest entries, merged where signs agree
(arXiv 2312.06795)."""

from __future__ import annotations

from torch import Tensor

from evomerge_core.methods.method import Density, PerSource, for_each, register
from evomerge_core.methods.parts.sparsify import drop_extremes
from evomerge_core.methods.parts.task_vectors import add_agreeing


@register("breadcrumbs_ties")
def breadcrumbs_ties(
    tensors: list[Tensor],
    base: Tensor,
    *,
    weight: PerSource,
    density: Density = 1.0,
    gamma: Density = 0.01,
    normalize: bool = False,
    rescale: bool = False,
    lambda_: float = 1.0,
) -> Tensor:
    """`gamma` is the part of each task vector dropped from the top; then the smallest go until `density` remains."""
    sources = zip(tensors, for_each(density, tensors), for_each(gamma, tensors), strict=True)
    deltas = [drop_extremes(tensor - base, kept, top, rescale) for tensor, kept, top in sources]
    return add_agreeing(base, deltas, for_each(weight, tensors), normalize=normalize, lambda_=lambda_)
