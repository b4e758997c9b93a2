"""The sum of a merge's weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def total_weight(weights: Sequence[float]) -> float:
    """The sum in float32, as the maths of a merge is: what it divides shows the last digit where terms cancel."""
    return float(torch.tensor(weights, dtype=torch.float32).sum())
