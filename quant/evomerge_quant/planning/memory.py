"""What a run needs in memory, in each precision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evomerge_core.errors import InputError
from evomerge_core.merging.room import CHILD_BYTES, merging_bytes
from evomerge_core.recipe.schema import ArithmeticSetting, Precision
from evomerge_core.sources.pretrained import read_config
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.plan import Plan
from evomerge_quant.planning.workload import Workload

if TYPE_CHECKING:  # torch takes seconds to load
    from evomerge_quant.resident.answering.room import PassSizes

# With fewer answers at a time a batch hardly pays.
FEW_ROWS = 4
# torch, transformers and the libraries of the device, once loaded.
_PROCESS_BYTES = 800_000_000
CUDA_BYTES = 600_000_000


@dataclass(frozen=True)
class MemoryParts:
    """Bytes on the device at the peak: the `reserve` is kept for libraries and the device's driver, whatever is scored; the
    `weights`; then what is there at a time, of `taking` a candidate and of `answering`."""

    reserve: int
    weights: int
    taking: int
    answering: int

    @property
    def most(self) -> int:
        """Together, taking and answering being one after the other."""
        return self.reserve + self.weights + max(self.taking, self.answering)


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes of a run in one precision: on the `device`, of these `parts`, and in `ram`, with `rows` answers at a time, as many
    as the free memory allows; with nothing unpacked, `least` on the device with one answer at a time, `enough` with a few."""

    device: int
    ram: int
    least: int
    enough: int
    rows: int
    parts: MemoryParts


def memory_need(
    precision: Precision, arithmetic: ArithmeticSetting, plan: Plan, capacity: Capacity, work: Workload
) -> MemoryNeed:
    """What a precision needs; one model is in memory at a time. Raises InputError for a model that can't be scored."""
    import torch

    from evomerge_quant.resident import memory
    from evomerge_quant.resident.answering.room import answering_bytes
    from evomerge_quant.resident.model import choose_dtype

    dtype = choose_dtype(precision, torch.device(capacity.device), arithmetic)
    held = max(search.held_parameters for search in plan.searches) / plan.parameters
    deepest = max(search.most_parameters for search in plan.searches) / plan.parameters
    packed, resident = (
        int(held * _resident_bytes(plan.base.folder, precision, dtype, capacity.device, int(free / held)))
        for free in (0, capacity.free)
    )
    sizes = _pass_sizes(plan.base.folder, precision, dtype, capacity.device)
    sizes = replace(sizes, token=int(sizes.token * deepest), unpacked=sizes.unpacked if resident == packed else 0)
    merging = max(merging_bytes(method, plan.sources, plan.largest) for method in plan.methods)
    on_card = capacity.device == "cuda"
    # On the CPU the engine keeps the room of a child's tensor; a card takes what is merged in parts.
    kept = 0 if on_card else CHILD_BYTES * plan.largest
    taking = _taking_bytes(plan.base.folder, precision, dtype) if on_card else merging
    reserve = process_bytes(capacity.device)
    rows = min(work.asked_at_once, memory.fit_batch(max(0, capacity.free - reserve - kept - resident), sizes, work.lengths))
    few = min(FEW_ROWS, work.asked_at_once)

    def answering(count: int) -> int:
        return kept + answering_bytes(sizes, work.lengths, count, work.asked_at_once)

    parts = MemoryParts(reserve, resident, taking, answering(rows))
    return MemoryNeed(
        device=parts.most,
        ram=_PROCESS_BYTES + merging + memory.PINNED_BYTES if on_card else parts.most,
        least=reserve + packed + max(taking, answering(1)),
        enough=reserve + packed + max(taking, int(answering(few) / memory.SHARE[capacity.device])),
        rows=rows,
        parts=parts,
    )


def _config(folder: Path) -> Any:
    from evomerge_quant.resident.vision.scorable import language_config

    return language_config(folder, read_config(folder))


def process_bytes(device: str) -> int:
    """What a process takes on the device before it holds any model."""
    return CUDA_BYTES if device == "cuda" else _PROCESS_BYTES


@lru_cache(maxsize=64)
def _pass_sizes(folder: Path, precision: Precision, dtype: Any, device: str) -> PassSizes:
    from evomerge_quant.resident import memory

    return memory.pass_sizes(_config(folder), precision, dtype, device)


@lru_cache(maxsize=64)
def _taking_bytes(folder: Path, precision: Precision, dtype: Any) -> int:
    from evomerge_quant.resident import memory

    return memory.taking_bytes(_config(folder), precision, dtype)


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
