"""A graphics card that is there and isn't used, because the torch that pip installed is one for the CPU."""

from __future__ import annotations

from collections.abc import Iterator

from evomerge_core.recipe.schema import Recipe
from evomerge_quant.planning.check import PreflightCheck, warning
from evomerge_quant.planning.machine.capacity import Capacity

CUDA_TORCH = "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu128"


def unused_card_checks(recipe: Recipe, capacity: Capacity) -> Iterator[PreflightCheck]:
    """A warning where candidates would be scored on the card if torch could use it."""
    if capacity.device == "cuda" or recipe.evaluation.device == "cpu":
        return
    name = card_name()
    if name is not None:
        import torch

        found = f"{name} is there, but torch {torch.__version__} can't use it: candidates are scored on the CPU"
        yield warning("Graphics card", found, CUDA_TORCH)


def card_name() -> str | None:
    """NVIDIA's name of the first card, as the driver gives it; None without one."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)))
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
