"""Preflight of the machine: memory, disk, time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.folder import require_empty, require_writable
from evomerge_quant.planning.check import PreflightCheck, ok, problem, refused, warning
from evomerge_quant.planning.estimate import RunEstimate
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.memory import FEW_ROWS, MemoryParts

_LONG_SECONDS = 48 * 3600
_SPARE_DISK = 500_000_000


def room_checks(estimate: RunEstimate, capacity: Capacity, out: Path) -> Iterator[PreflightCheck]:
    """Whether the run fits this machine; `out` is the run's folder."""
    yield from _memory(estimate, capacity)
    yield from _disk(estimate, out)
    yield _time(estimate)


def _memory(estimate: RunEstimate, capacity: Capacity) -> Iterator[PreflightCheck]:
    name = "VRAM" if capacity.device == "cuda" else "RAM"
    wanted = estimate.vram if capacity.device == "cuda" else estimate.ram
    found = f"{_gb(wanted)} of {_gb(capacity.free)} free ({capacity.name}), {_of_it(estimate.memory)}"
    if estimate.least > capacity.free:
        needed = f"{_gb(estimate.least)} needed at least, {_gb(capacity.free)} free"
        confirms = estimate.neediest != estimate.precision.precision
        less = f"take {estimate.neediest} out of evaluation.confirm, " if confirms else ""
        yield problem(name, needed, f"{less}choose smaller models or close other programs")
    elif estimate.rows < FEW_ROWS:
        yield warning(name, f"{found}: only {estimate.rows} answers at a time", "close other programs, or lower max_new_tokens")
    else:
        yield ok(name, f"{found}, {estimate.rows} answers at a time")
    if capacity.device != "cuda":
        return
    if estimate.ram > capacity.ram_free:
        yield warning("RAM", f"{_gb(estimate.ram)} of {_gb(capacity.ram_free)} free", "close other programs")
    else:
        yield ok("RAM", f"{_gb(estimate.ram)} of {_gb(capacity.ram_free)} free")


def _of_it(memory: MemoryParts) -> str:
    beside = "answering" if memory.answering >= memory.taking else "taking a candidate"
    most = max(memory.answering, memory.taking)
    return f"of it {_gb(memory.weights)} weights, {_gb(most)} {beside}, {_gb(memory.reserve)} in reserve for libraries"


def _disk(estimate: RunEstimate, out: Path) -> Iterator[PreflightCheck]:
    """The hub's cache and the run's folder, which may lie on one disk."""
    from huggingface_hub import constants

    cache = _existing(Path(constants.HF_HUB_CACHE))
    folder = _existing(out)
    needs = {folder: estimate.written}
    same = cache.stat().st_dev == folder.stat().st_dev
    if estimate.download:
        place = folder if same else cache
        needs[place] = needs.get(place, 0) + estimate.download
    for place, needed in needs.items():
        free = shutil.disk_usage(place).free
        found = f"{_gb(needed)} of {_gb(free)} free at {place}"
        if needed + _SPARE_DISK > free:
            yield problem("Disk", found, "free some space, point HF_HOME to a larger disk, or give another run folder")
        else:
            yield ok("Disk", found + (f", {_gb(estimate.download)} of it downloads" if estimate.download else ""))


def folder_check(out: Path) -> PreflightCheck:
    """Whether the run's folder can be created."""
    try:
        require_empty(out)
        require_writable(out)
    except InputError as error:
        return refused("Run folder", error)
    return ok("Run folder", str(out))


def _time(estimate: RunEstimate) -> PreflightCheck:
    found = f"{_hours(estimate.seconds.low)} to {_hours(estimate.seconds.high)}, {estimate.basis}"
    if estimate.seconds.low > _LONG_SECONDS:
        return warning("Time", found, "lower the budget, the items or max_new_tokens")
    return ok("Time", found)


def _existing(place: Path) -> Path:
    place = place.absolute()
    return next(folder for folder in (place, *place.parents) if folder.exists())


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def _hours(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
