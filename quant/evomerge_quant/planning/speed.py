"""Seconds by rule: how long a candidate takes by its size, the work and the device, before anything is measured.

A CPU does 40 GFLOP/s a core (float32, AVX2) and merges 0.2 billion weights a second and core, for itself and for a card, which
takes the child over the bus meanwhile, at 8 GB/s. A GPU does 0.12 TFLOP/s a multiprocessor in bf16, reads 4-bit weights and
unpacks them at the bandwidth of its memory for each token. Measured on two machines without a GPU and, as for
merging, on one with an H200; past runs correct the rule.
"""

from __future__ import annotations

from evomerge_quant.planning.machine.capacity import Capacity

_CPU_FLOPS_A_CORE = 40e9
_CPU_MERGED_A_CORE = 0.2e9
# Layers are called one after the other, however small they are.
_OVERHEAD = 0.3
_GPU_FLOPS_A_MULTIPROCESSOR = 0.12e12
_GPU_BANDWIDTH = 400e9
_GPU_BUS = 8e9
# Packed codes, the values unpacked from them, and those read again.
_UNPACKING_BYTES = 4.5
_ROWS = 64
# Where the sources don't fit into RAM they are read from the disk again for each candidate.
_DISK = 0.8e9


def candidate_seconds(
    capacity: Capacity, parameters: int, sources: int, items: int, prompt_tokens: float, answer_tokens: float
) -> float:
    """Seconds to merge a candidate of `parameters` weights out of `sources` and the base, and to score it on `items`."""
    one = item_seconds(capacity, parameters, prompt_tokens, answer_tokens)
    return _OVERHEAD + merge_seconds(capacity, parameters, sources) + items * one


def merge_seconds(capacity: Capacity, parameters: int, sources: int) -> float:
    """Seconds to merge and take one candidate."""
    stored = 2 * parameters * (sources + 1)
    on_cpu = parameters * sources / (_CPU_MERGED_A_CORE * capacity.cores)
    seconds = max(on_cpu, 2 * parameters / _GPU_BUS) if capacity.device == "cuda" else on_cpu
    return max(seconds, stored / _DISK) if stored > 0.8 * capacity.ram else seconds


def item_seconds(capacity: Capacity, parameters: int, prompt_tokens: float, answer_tokens: float) -> float:
    """Seconds for one item among many that are answered together."""
    tokens = prompt_tokens + answer_tokens
    if capacity.device == "cpu":
        return 2 * parameters * tokens / (_CPU_FLOPS_A_CORE * capacity.cores)
    computed = 2 * parameters * tokens / (_GPU_FLOPS_A_MULTIPROCESSOR * max(1, capacity.multiprocessors))
    unpacked = answer_tokens * _UNPACKING_BYTES * parameters / (capacity.bandwidth or _GPU_BANDWIDTH) / _ROWS
    return computed + unpacked
