"""How large the child of a path is: parameters by its number of layers."""

from __future__ import annotations

import math

from evomerge_core.errors import InputError
from evomerge_core.merging.plan.layers import find_layers
from evomerge_core.paths.spec import Paths
from evomerge_core.sources.source import Source


def most_layers(paths: Paths, base: Source) -> int | None:
    """The most layers that a recipe allows a child of models like `base`; None when it sets no bound."""
    bounds = [] if paths.max_layers is None else [paths.max_layers]
    if paths.max_parameters is not None:
        outside, layer = _parameters(base)
        room = int((paths.max_parameters - outside) // layer)
        if room < 2:
            raise InputError(
                f"{paths.max_parameters:,.0f} leave no room for two layers: {outside:,} are outside the layers "
                f"and {layer:,} in each",
                where="paths.max_parameters",
                remedy="raise it",
            )
        bounds.append(room)
    return min(bounds, default=None)


def most_parameters(base: Source, layers: int) -> int:
    """The parameters of a child of so many layers, were each the largest of the base's."""
    outside, layer = _parameters(base)
    return outside + layers * layer


def _parameters(base: Source) -> tuple[int, int]:
    """Parameters outside the layers, and in the largest layer."""
    stack = find_layers(base.names, base.reference)
    outside = sum(math.prod(base.shape(name)) for name in (*stack.before, *stack.after))
    layers = [sum(math.prod(base.shape(stack.name(i, rest))) for rest in rests) for i, rests in enumerate(stack.layers)]
    return outside, max(layers, default=1)
