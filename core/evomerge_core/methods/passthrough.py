"""Passthrough: one model's tensors as they are, for children built of layers from several models."""

from __future__ import annotations

from torch import Tensor

from evomerge_core.methods.method import PerSource, for_each, register


@register("passthrough", max_sources=1, entrywise=True)
def passthrough(tensors: list[Tensor], *, scale: PerSource = 1.0) -> Tensor:
    """The tensor times `scale`."""
    return tensors[0] * for_each(scale, tensors)[0]
