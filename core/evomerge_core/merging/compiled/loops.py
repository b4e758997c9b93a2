"""Which merge methods have compiled loops."""

from __future__ import annotations

from evomerge_core.merging.compiled import elementwise, great_circle


def has_loops(method: str) -> bool:
    """Whether a method merges without any whole tensor in float32."""
    return method in elementwise.METHODS or method == great_circle.METHOD
