"""DARE with TIES: random entries of each task vector, merged where their signs agree (arXiv 2311.03099)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from evomerge_core.methods.method import Density, PerSource, for_each, register
from evomerge_core.methods.parts.sparsify import drop_random
from evomerge_core.methods.parts.task_vectors import add_agreeing


@register("dare_ties")
def dare_ties(
    tensors: list[Tensor],
    base: Tensor,
    *,
    keys: Sequence[int],
    weight: PerSource,
    density: Density = 1.0,
    normalize: bool = False,
    rescale: bool = True,
    lambda_: float = 1.0,
) -> Tensor:
    """`density` is the chance of an entry to stay; `rescale` gives each task vector back its L1 norm.

    `keys` name each source's random numbers (see `random_field`).
    """
    sources = zip(tensors, for_each(density, tensors), keys, strict=True)
    deltas = [drop_random(tensor - base, kept, key, rescale) for tensor, kept, key in sources]
    return add_agreeing(base, deltas, for_each(weight, tensors), normalize=normalize, lambda_=lambda_)
