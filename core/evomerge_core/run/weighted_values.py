"""Item scores as numbers whose mean is a candidate's score: what intervals and paired tests are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evomerge_core.run.store.store import ItemScore


def weighted_values(items: Sequence[ItemScore], weights: Mapping[str, float]) -> list[float]:
    """Values whose mean is the score weighted by task; with one task the plain values, 0 and 1 where the scorer says so."""
    if len(weights) == 1:
        return [i.value for i in items]
    total = sum(weights.values())
    counts = {task: sum(i.task == task for i in items) for task in weights}
    factor = {task: weight / total * len(items) / counts[task] for task, weight in weights.items()}
    return [i.value * factor[i.task] for i in items]
