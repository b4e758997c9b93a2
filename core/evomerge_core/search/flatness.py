"""When a search has nothing left to choose from. pycma's own signals can't tell: it is told ranks, not scores."""

from __future__ import annotations

from collections.abc import Sequence

# Generations in a row. Tied scores alone are what small item sets look like; the log-likelihood parts any two merges that
# differ at all.
PATIENCE = 5


def is_flat(generations: Sequence[Sequence[float | None]]) -> bool:
    """Whether each of the last generations consists of candidates with one and the same fitness (ties broken), or failed."""
    recent = generations[-PATIENCE:]
    return len(recent) == PATIENCE and all(len(set(generation)) == 1 for generation in recent)
