"""Whether a model fits on this machine at all: a rough rule for lists, from its number of parameters alone."""

from __future__ import annotations

from evomerge_quant.planning.machine.capacity import Capacity

# Codes and scales, a share of weights that stays in 16 or 32 bits, and room to answer in.
_BYTES_A_WEIGHT = {"cuda": 0.8, "cpu": 1.0}
_ALWAYS = 1.2e9


def lack_of_room(parameters: int, capacity: Capacity) -> str:
    """Why a model in 4 bits doesn't fit into all of the device's memory; "" when it does."""
    needed = _ALWAYS + _BYTES_A_WEIGHT[capacity.device] * parameters
    if needed <= capacity.total:
        return ""
    name = "VRAM" if capacity.device == "cuda" else "RAM"
    return f"needs about {needed / 1e9:.0f} GB of {name} in 4 bits, this machine has {capacity.total / 1e9:.0f} GB"
