"""Paths that several tests start from."""

from __future__ import annotations

from evomerge_core.paths.path import Hop, Path, Pool


def own_path(pool: Pool) -> Path:
    """The first model's own layers in order: the path that changes nothing."""
    return Path(tuple(Hop(0, layer) for layer in range(pool.layers)))
