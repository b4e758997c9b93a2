"""What this machine can do, as far as a run depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evomerge_core.processor import processor_name
from evomerge_quant.planning.machine.cores import usable_cores
from evomerge_quant.ram import available_ram, total_ram

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Capacity:
    """The device that scores, in bytes and bytes a second; `vram` and what follows is 0 on a CPU.

    `cores` are physical ones that this process may use. `bandwidth` is that of the card's memory, 0 when the driver doesn't
    say.
    """

    device: Literal["cpu", "cuda"]
    name: str
    cores: int
    ram: int
    ram_free: int
    vram: int = 0
    vram_free: int = 0
    multiprocessors: int = 0
    bandwidth: float = 0.0

    @property
    def free(self) -> int:
        """Free memory where candidates are scored."""
        return self.vram_free if self.device == "cuda" else self.ram_free

    @property
    def total(self) -> int:
        """Memory where candidates are scored, free or not."""
        return self.vram if self.device == "cuda" else self.ram


def measure_capacity(device: Device = "auto") -> Capacity:
    """This machine as it is now; `cuda` without a card gives the CPU."""
    import torch

    cores = usable_cores()
    ram, ram_free = total_ram(), available_ram()
    if device == "cpu" or not torch.cuda.is_available():
        return Capacity("cpu", processor_name(), cores, ram, ram_free)
    facts = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info(0)
    # kHz and bits; double data rate
    bandwidth = 2e3 * getattr(facts, "memory_clock_rate", 0) * getattr(facts, "memory_bus_width", 0) / 8
    return Capacity("cuda", facts.name, cores, ram, ram_free, int(total), int(free), facts.multi_processor_count, bandwidth)
