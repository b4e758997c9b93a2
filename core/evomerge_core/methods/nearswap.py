"""NearSwap: takes from the other model what is near the base."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from evomerge_core.methods.method import Bounds, register

_SMALLEST_DISTANCE = 1e-6


@register("nearswap", max_sources=1, entrywise=True)
def nearswap(tensors: list[Tensor], base: Tensor, *, t: Annotated[float, Bounds(low=0.0)]) -> Tensor:
    """Per entry, the other model's share is min(1, t / distance from the base), distances below 1e-6 taken as 1e-6."""
    distance = (base - tensors[0]).abs()
    share = (t / distance.clamp(min=_SMALLEST_DISTANCE)).clamp(0, 1)
    return share * tensors[0] + (1 - share) * base
