"""What one of several workers on this machine has of it."""

from __future__ import annotations

import os
from dataclasses import replace

from evomerge_core.recipe.schema import Recipe, Workers
from evomerge_quant.planning.machine.capacity import Capacity


def share_of(capacity: Capacity, recipe: Recipe) -> Capacity:
    """What one of the recipe's workers has of a machine; all of it where they are on other machines, or there are none."""
    return shared_by(capacity, count_here(recipe, capacity))


def shared_by(capacity: Capacity, count: int) -> Capacity:
    """What each of `count` workers on a machine has of it: a card of its own, or a share of the cores, and of the RAM."""
    cores = capacity.cores if capacity.device == "cuda" else max(1, capacity.cores // count)
    return replace(capacity, ram_free=capacity.ram_free // count, cores=cores)


def count_here(recipe: Recipe, capacity: Capacity) -> int:
    """How many workers share this machine."""
    wanted = recipe.search.workers
    if wanted is None or cluster_of(wanted) is not None:
        return 1
    return wanted if isinstance(wanted, int) else max(1, cards_of(capacity))


def cluster_of(wanted: Workers) -> str | None:
    """The cluster that workers are placed on, of the recipe or of the environment; None for this machine alone."""
    address = wanted if isinstance(wanted, str) and wanted != "auto" else os.environ.get("RAY_ADDRESS", "")
    # by `local` Ray means a cluster that it starts, which would be open to others: a run has one of its own
    return None if address in ("", "local") else address


def cards_of(capacity: Capacity) -> int:
    import torch

    return torch.cuda.device_count() if capacity.device == "cuda" else 0
