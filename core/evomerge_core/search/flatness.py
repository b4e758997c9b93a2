"""When a search has nothing left to choose from. pycma's own signals don't show it: pycma sees ranks, not scores."""

from __future__ import annotations

from collections.abc import Sequence

# Generations in a row. Tied scores alone are usual with small item sets; the log-likelihood separates any two merges that
# differ at all.
PATIENCE = 5


def is_flat(generations: Sequence[Sequence[float | None]]) -> bool:
    """Whether each of the last generations consists of candidates with one and the same fitness (ties broken), or failed."""
    recent = generations[-PATIENCE:]
    return len(recent) == PATIENCE and all(len(set(generation)) == 1 for generation in recent)
