"""What a run needs in memory, in each precision."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.merging.room import merging_bytes
from evomerge_core.recipe.schema import ArithmeticSetting, Precision
from evomerge_core.sources.pretrained import read_config
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.plan import Plan
from evomerge_quant.planning.workload import Workload

# With fewer answers at a time a batch hardly pays.
FEW_ROWS = 4
# torch, transformers and the libraries of the device, once loaded.
_PROCESS_BYTES = 800_000_000
CUDA_BYTES = 600_000_000


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes of a run in one precision: on the `device` and in `ram` with `rows` answers at a time, as many as the free memory
    allows; with nothing unpacked, `least` on the device with one answer at a time, `enough` with a few."""

    device: int
    ram: int
    least: int
    enough: int
    rows: int


def memory_need(
    precision: Precision, arithmetic: ArithmeticSetting, plan: Plan, capacity: Capacity, work: Workload
) -> MemoryNeed:
    """What a precision needs; one model is in memory at a time. Raises InputError for a model that can't be scored."""
    import torch

    from evomerge_quant.resident import memory
    from evomerge_quant.resident.model import choose_dtype

    device = torch.device(capacity.device)
    config = _config(plan.base.folder)
    dtype = choose_dtype(precision, device, arithmetic)
    held = max(search.held_parameters for search in plan.searches) / plan.parameters
    deepest = max(search.most_parameters for search in plan.searches) / plan.parameters
    packed, resident = (
        int(held * _resident_bytes(plan.base.folder, precision, dtype, capacity.device, int(free / held)))
        for free in (0, capacity.free)
    )
    merging = max(merging_bytes(method, plan.sources, plan.largest) for method in plan.methods)
    # On a card the parts of a tensor that are on their way, on the CPU all of it.
    taking = memory.TAKING_BYTES if device.type == "cuda" else merging
    workspace = _workspace_bytes(plan.base.folder, precision, dtype, capacity.device)
    token = int(memory.kv_bytes_per_token(config, dtype) * deepest)
    process = process_bytes(capacity.device)
    budget = memory.MemoryBudget(max(0, capacity.free - resident), workspace, token)
    rows = min(work.search_items, memory.fit_batch(budget, work.most_tokens, device))
    few = min(FEW_ROWS, work.search_items)

    def answering(count: int) -> int:
        return workspace + 2 * token * work.most_tokens * count

    on_card = process + resident + max(taking, answering(rows))
    return MemoryNeed(
        device=on_card if device.type == "cuda" else process + resident + merging + answering(rows),
        ram=process + resident + merging + answering(rows) if device.type == "cpu" else _PROCESS_BYTES + merging + taking,
        least=process + packed + max(taking, answering(1)),
        enough=process + packed + max(taking, int(answering(few) / memory.SHARE[device.type])),
        rows=rows,
    )


def _config(folder: Path) -> Any:
    from evomerge_quant.resident.vision.scorable import language_config

    return language_config(folder, read_config(folder))


def process_bytes(device: str) -> int:
    """What a process takes on the device before it holds any model."""
    return CUDA_BYTES if device == "cuda" else _PROCESS_BYTES


@lru_cache(maxsize=64)
def _workspace_bytes(folder: Path, precision: Precision, dtype: Any, device: str) -> int:
    from evomerge_quant.resident import memory

    return memory.workspace_bytes(_config(folder), precision, dtype, device)


@lru_cache(maxsize=64)
def _resident_bytes(folder: Path, precision: Precision, dtype: Any, device: str, free: int) -> int:
    """The weights of a model like the base, where so many bytes are free for it."""
    from evomerge_quant.resident import memory

    config = _config(folder)
    try:
        unpacked = memory.unpacked_fits(config, precision, dtype, device, free)
        return memory.resident_bytes(config, precision, dtype, unpacked=unpacked)
    except (ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        problem = f"not a model that can be scored ({reason})"
        raise InputError(problem, where=folder / "config.json", remedy="choose another base") from None
