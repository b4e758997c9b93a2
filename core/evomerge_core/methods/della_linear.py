"""DELLA without sign election: entries drawn by their rank in each row, summed (arXiv 2406.11617)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from evomerge_core.methods.method import Density, PerSource, for_each, register
from evomerge_core.methods.parts.sparsify import drop_by_rank
from evomerge_core.methods.parts.task_vectors import add_all


@register("della_linear")
def della_linear(
    tensors: list[Tensor],
    base: Tensor,
    *,
    keys: Sequence[int],
    weight: PerSource,
    density: Density = 1.0,
    epsilon: Density = 0.15,
    normalize: bool = False,
    rescale: bool = True,
    lambda_: float = 1.0,
) -> Tensor:
    """An entry stays with a chance from density - epsilon (smallest of its row) to density + epsilon (largest).

    `rescale` gives each task vector back its L1 norm; `keys` name each source's random numbers (see `random_field`).
    """
    sources = zip(tensors, for_each(density, tensors), for_each(epsilon, tensors), keys, strict=True)
    deltas = [drop_by_rank(tensor - base, kept, width, key, rescale) for tensor, kept, width, key in sources]
    return add_all(base, deltas, for_each(weight, tensors), normalize=normalize, lambda_=lambda_)
