"""How much RAM merging takes, by method: what the planning of a run goes by."""

from __future__ import annotations

from collections.abc import Mapping

from evomerge_core.merging.compiled.loops import has_loops
from evomerge_core.methods.registry import get_method

# Bytes a number of the child's tensor, in bfloat16; its sources are mapped from their files, and read by blocks.
CHILD_BYTES = 2
# (bytes a number, and that for each source) of the functions that take whole tensors in float32, at their peak.
_WHOLE: Mapping[str, tuple[int, int]] = {
    "arcee_fusion": (22, 8),
    "della": (19, 13),
    "della_linear": (24, 8),
    "karcher": (30, 10),
    "model_stock": (28, 8),
    "multislerp": (28, 16),
    "nuslerp": (28, 8),
    "sce": (37, 9),
}
# Of a method that isn't known here.
_OTHER = (40, 16)


def merging_bytes(method: str, sources: int, numbers: int) -> int:
    """Bytes that merging a tensor of so many numbers takes at most, of so many sources beside the base."""
    if has_loops(method) or get_method(method).entrywise:
        return CHILD_BYTES * numbers
    fixed, each = _WHOLE.get(method, _OTHER)
    return (fixed + each * sources) * numbers
