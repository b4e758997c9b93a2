"""What a run's store keeps of its races: of each stage, the items of each task after each rung."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def race_key(stage: int) -> str:
    """The fact that holds a stage's rungs."""
    return f"race_sizes_{stage}"


def races_of(facts: Mapping[str, Any]) -> list[tuple[int, ...] | None]:
    """Each stage's rungs; None where everybody is scored on everything, or no race has begun."""
    kept = [facts.get(race_key(stage)) for stage in range(len(facts.get("stages", [{}])))]
    return [None if sizes is None else tuple(sizes) for sizes in kept]
