"""What pictures add to a run: their features on the disk, and tower and projector in memory before candidates are scored."""

from __future__ import annotations

import math
from dataclasses import replace

from evomerge_core.recipe.schema import Recipe
from evomerge_core.sources.architecture import settings, tower_settings
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import is_tied_name
from evomerge_quant.planning.estimate import RunEstimate
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.memory import MemoryParts, process_bytes

# What tower and projector take beside their weights while they see one picture, as a share of these.
_SEEING = 0.5


def with_pictures(found: RunEstimate, recipe: Recipe, base: Source, capacity: Capacity, features: int) -> RunEstimate:
    """The estimate with so many features of pictures; unchanged where there are none."""
    body = base.checkpoint.body
    if body is None or not features:
        return found
    import torch

    from evomerge_quant.resident.model import choose_dtype

    size = choose_dtype(found.precision.precision, torch.device(capacity.device), recipe.evaluation.arithmetic).itemsize
    # transformers' class has room for embedding and head too
    beside = sum(math.prod(base.shape(name)) for name in base.names if is_tied_name(name))
    tower = size * (body.parameters(tuple(body.tensors)) + beside)
    seeing = MemoryParts(process_bytes(capacity.device), tower, 0, int(_SEEING * tower))
    eyes = seeing.most
    on_card = capacity.device == "cuda"
    # beside each feature Qwen3-VL has what is added behind its first layers
    wide = int(settings(base)["hidden_size"]) * (1 + len(tower_settings(base).get("deepstack_visual_indexes") or ()))
    return replace(
        found,
        written=found.written + features * wide * size,
        least=max(found.least, eyes),
        memory=max(found.memory, seeing, key=lambda parts: parts.most),
        vram=max(found.vram, eyes) if on_card else found.vram,
        ram=found.ram if on_card else max(found.ram, eyes),
    )
