"""What fits on which card: sizes of models against sizes of cards, and the RAM that each method merges in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from evomerge_core.merging.room import merging_bytes
from evomerge_core.methods.registry import get_method, method_names
from evomerge_core.recipe.schema import Precision
from evomerge_quant.planning.card_sizes.model_sizes import MODEL_SIZES, ModelSize, shapes_of
from evomerge_quant.planning.memory import CUDA_BYTES, FEW_ROWS

CARDS_GB = (8, 12, 16, 24)
SOURCES = (2, 3)
# From what ships downwards, as `precision: auto` tries them.
_PRECISIONS: tuple[Precision, ...] = ("bf16", "int8", "int5", "nf4")
# A driver, a desktop and what other programs draw; the rest is free.
_FREE = 0.93
# A question with its answer, long ones.
ROW_TOKENS = 800


@dataclass(frozen=True)
class CardFit:
    """A model on a card of `gigabytes`: the most bits that leave room for a few answers at a time, and how many there are then;
    "" and 0 where none do."""

    gigabytes: int
    precision: str
    rows: int


@dataclass(frozen=True)
class SizeFits:
    """A size of models: its weights, the cards that it fits on, and bytes of RAM for merging by method and number of sources,
    beside the files of the sources."""

    size: str
    parameters: int
    cards: tuple[CardFit, ...]
    merging: dict[str, tuple[int, ...]]


def what_fits() -> tuple[SizeFits, ...]:
    """The table, smallest models first. VRAM doesn't depend on the method: merging happens in RAM."""
    return tuple(_fits(name, size) for name, size in MODEL_SIZES.items() if name != "tiny")


def _fits(name: str, size: ModelSize) -> SizeFits:
    counts = [math.prod(shape) for shape in shapes_of(size).values()]
    cards = tuple(_on_card(size, gigabytes) for gigabytes in CARDS_GB)
    merging = {method: tuple(_merging(method, sources, max(counts)) for sources in SOURCES) for method in method_names()}
    return SizeFits(name, sum(counts), cards, merging)


def _merging(method: str, sources: int, numbers: int) -> int:
    return merging_bytes(method, min(sources, get_method(method).max_sources or sources), numbers)


def _on_card(size: ModelSize, gigabytes: int) -> CardFit:
    import torch

    from evomerge_quant.resident import memory

    config, dtype, free = size.config(), torch.bfloat16, _FREE * 1e9 * gigabytes - CUDA_BYTES
    token = memory.kv_bytes_per_token(config, dtype)
    for precision in _PRECISIONS:
        resident, workspace = _held(size, precision)
        left = int(free) - resident
        budget = memory.MemoryBudget(left, workspace, token)
        rows = memory.fit_batch(budget, ROW_TOKENS, torch.device("cuda"))
        taken = budget.workspace + 2 * FEW_ROWS * ROW_TOKENS * token
        if left >= max(memory.TAKING_BYTES, int(taken / memory.SHARE["cuda"])):
            return CardFit(gigabytes, precision, rows)
    return CardFit(gigabytes, "", 0)


@lru_cache(maxsize=64)
def _held(size: ModelSize, precision: Precision) -> tuple[int, int]:
    """Bytes of the weights, and of a forward pass."""
    import torch

    from evomerge_quant.resident import memory

    config = size.config()
    held = memory.resident_bytes(config, precision, torch.bfloat16)
    return held, memory.workspace_bytes(config, precision, torch.bfloat16, "cuda")
