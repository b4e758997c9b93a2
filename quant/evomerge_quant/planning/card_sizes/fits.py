"""What fits on which card: sizes of models against sizes of cards, and the RAM that each method merges in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from evomerge_core.merging.room import merging_bytes
from evomerge_core.methods.registry import get_method, method_names
from evomerge_core.recipe.schema import Precision
from evomerge_quant.planning.card_sizes.model_sizes import MODEL_SIZES, ModelSize, shapes_of
from evomerge_quant.planning.memory import CUDA_BYTES, FEW_ROWS
from evomerge_quant.resident.answering.row_lengths import RowLengths

if TYPE_CHECKING:  # torch takes seconds to load
    from evomerge_quant.resident.answering.room import PassSizes

CARDS_GB = (8, 12, 16, 24)
SOURCES = (2, 3)
# From what ships downwards, as `precision: auto` tries them.
_PRECISIONS: tuple[Precision, ...] = ("bf16", "int8", "int5", "nf4")
# A driver, a desktop and what other programs draw; the rest is free.
_FREE = 0.93
# A question and its answer, long ones.
ROW = RowLengths(read=500, whole=800, judged=100)


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
    from evomerge_quant.resident import memory
    from evomerge_quant.resident.answering.room import answering_bytes

    for precision in _PRECISIONS:
        held = _held(size, precision)
        left = int(_FREE * 1e9 * gigabytes - CUDA_BYTES) - held.weights
        few = int(answering_bytes(held.sizes, ROW, FEW_ROWS) / memory.SHARE["cuda"])
        if left >= max(held.taking, few):
            return CardFit(gigabytes, precision, memory.fit_batch(left, held.sizes, ROW))
    return CardFit(gigabytes, "", 0)


@dataclass(frozen=True)
class _Held:
    """Bytes of the weights, and beside them while a candidate is taken; what bytes of answering go by."""

    weights: int
    taking: int
    sizes: PassSizes


@lru_cache(maxsize=64)
def _held(size: ModelSize, precision: Precision) -> _Held:
    import torch

    from evomerge_quant.resident import memory

    config, dtype = size.config(), torch.bfloat16
    return _Held(
        memory.resident_bytes(config, precision, dtype),
        memory.taking_bytes(config, precision, dtype),
        memory.pass_sizes(config, precision, dtype, "cuda"),
    )
