"""What a child must beat: its parents, and equal-weight merges of them."""

from __future__ import annotations

from collections.abc import Iterator

from evomerge_core.genome.space import Space
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store

UNIFORM_WEIGHTS = (0.5, 0.75, 1.0)


def add_references(setup: Setup, store: Store) -> Iterator[Candidate]:
    """The parents, then the equal-weight merges where weights are evolved, all scored on the same items as the children."""
    for label in setup.parents:
        yield store.add_candidate("parent", label)
    space = next((stage.space for stage in setup.stages if isinstance(stage.space, Space)), None)
    if space is not None:
        for weight in UNIFORM_WEIGHTS:
            yield store.add_candidate("uniform", f"uniform {weight:g}", genome=space.uniform(weight).tolist())


def count_references(setup: Setup) -> int:
    """How many references a run has."""
    weights = any(isinstance(stage.space, Space) for stage in setup.stages)
    return len(setup.parents) + (len(UNIFORM_WEIGHTS) if weights else 0)
