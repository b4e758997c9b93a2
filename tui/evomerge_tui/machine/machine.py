"""The state of this machine: processor, RAM, disk, graphics cards, compiler. Loads neither torch nor textual."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from evomerge_quant.ram import available_ram, total_ram

_COMPILERS = ("c++", "g++", "clang++", "cl")


@dataclass(frozen=True)
class Gpu:
    """A graphics card. `used` and `total` are bytes of VRAM, `busy` a share in 0..1, None when the driver doesn't say."""

    name: str
    used: int
    total: int
    busy: float | None


@dataclass(frozen=True)
class Machine:
    """The machine at one moment, unix time `at`. Bytes of RAM and disk; `busy` is the share of all cores' time."""

    at: float
    cores: int
    busy: float
    ram_used: int
    ram_total: int
    disk_free: int
    gpus: tuple[Gpu, ...]
    compiler: str | None


def read_machine(folder: Path) -> Machine:
    """Reads the machine's state; the disk is that of `folder`. Processor load is that since the last reading."""
    total = total_ram()
    return Machine(
        at=time.time(),
        cores=psutil.cpu_count() or 1,
        busy=psutil.cpu_percent() / 100,
        ram_used=total - available_ram(),
        ram_total=total,
        disk_free=shutil.disk_usage(_existing(folder)).free,
        gpus=_gpus(),
        compiler=find_compiler(),
    )


def find_compiler() -> str | None:
    """The name of the C++ compiler on the path."""
    return next((name for name in _COMPILERS if shutil.which(name)), None)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())


def _gpus() -> tuple[Gpu, ...]:
    """NVIDIA's cards as reported by the driver; none without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles: Sequence[Any] = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return tuple(_gpu(handle) for handle in handles)
    finally:
        pynvml.nvmlShutdown()


def _gpu(handle: Any) -> Gpu:
    import pynvml

    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    try:
        busy = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    except pynvml.NVMLError:
        # a slice of a card (MIG) doesn't report its load
        busy = None
    return Gpu(str(pynvml.nvmlDeviceGetName(handle)), int(memory.used), int(memory.total), busy)
