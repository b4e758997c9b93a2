"""Three presets for a search: how long it may take, and how much it can find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evomerge_core.tasks.items.split import SPLITS


@dataclass(frozen=True)
class Effort:
    """What a recipe's keys become; `text` describes in a line what to expect."""

    title: str
    text: str
    search_space: Mapping[str, Any]
    splits: Mapping[str, int]
    evaluations: int


EFFORTS: Mapping[str, Effort] = {
    "quick": Effort(
        "Quick",
        "one weight a source, few items: is there anything to gain?",
        {"preset": "default", "method": "task_arithmetic", "groups": "whole"},
        {"search": 24, "validation": 32, "test": 100},
        36,
    ),
    "balanced": Effort(
        "Balanced",
        "weights by bands of layers, and enough items for a verdict",
        {"preset": "default", "method": "task_arithmetic", "groups": "auto"},
        {"search": 48, "validation": 64, "test": 200},
        120,
    ),
    # arXiv 2403.13187: DARE-TIES, one weight and density a source, 1,000 trials, 250 test items.
    "paper": Effort(
        "Paper",
        "DARE-TIES, 1,000 candidates on many items: days rather than hours",
        {"preset": "paper"},
        {"search": 200, "validation": 64, "test": 250},
        1000,
    ),
}


def fitted_splits(wanted: Mapping[str, int], items: int) -> dict[str, int]:
    """The sizes, all smaller by the same share where there are fewer items; test and search keep at least one, for which the
    largest gives way. No more than `items` in all, where there are two."""
    total = sum(wanted[split] for split in SPLITS)
    if total <= items:
        return {split: wanted[split] for split in SPLITS}
    sizes = {split: wanted[split] * items // total for split in SPLITS}
    sizes |= {split: max(1, sizes[split]) for split in ("search", "test")}
    for _ in range(sum(sizes.values()) - items):
        # validation alone may have none
        largest = max(sizes, key=lambda split: sizes[split] - (split != "validation"))
        sizes[largest] = max(0 if largest == "validation" else 1, sizes[largest] - 1)
    return sizes
