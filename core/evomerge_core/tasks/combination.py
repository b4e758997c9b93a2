"""One score out of several weighted tasks."""

from __future__ import annotations

from collections.abc import Mapping


def weighted_mean(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The mean of the tasks' values, each weighted by its share of the sum of all weights.

    Raises `KeyError` when a task has no weight, `ValueError` when there is no task.
    """
    total = sum(weights[task] for task in values)
    if not values or total <= 0:
        raise ValueError("a score needs at least one task with a weight above 0")
    return sum(weights[task] / total * value for task, value in values.items())
