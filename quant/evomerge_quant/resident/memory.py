"""What fits: the bytes of a resident model and of its cache, and the batch that the free memory allows."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from evomerge_quant.ram import available_ram
from evomerge_quant.resident.answering.answering import PREFILL_TOKENS
from evomerge_quant.resident.answering.reader import LOGITS_AT_ONCE
from evomerge_quant.resident.network.skeleton import FEW_BITS, Precision, few_bit_layers, make_skeleton

# Rows beyond these make a batch no faster.
MOST_ROWS = {"cpu": 64, "cuda": 256}
# Of the free memory, the share that a batch may take. RAM is shared with merging, and running out of it ends the process.
SHARE = {"cpu": 0.5, "cuda": 0.9}


# What a card holds of a weight that it takes, beside the weight's own room: a part, and what is made of it.
TAKING_BYTES = 160_000_000
# Bytes a weight that a card takes to unpack a layer for a product, in int5 and int8; NF4's are one kernel's.
_UNPACKING: Mapping[Precision, int] = {"nf4": 2, "int5": 9, "int8": 6}


@dataclass(frozen=True)
class MemoryBudget:
    """Bytes: what is free, what a forward pass takes beside the cache, and what one token of one row takes in the cache."""

    free: int
    workspace: int
    token: int


def available_bytes(device: torch.device) -> int:
    """Free memory of the device: VRAM, to which torch gives back what it keeps of freed tensors, or RAM within the container's
    limit."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return available_ram()


def keep_within_card(device: torch.device) -> None:
    """Lets torch take no more of a card than is free now. Windows' driver would put what doesn't fit into RAM, without a word,
    and every step would wait for the bus; an error ends in a smaller batch instead."""
    if device.type == "cuda" and sys.platform == "win32":
        _, total = torch.cuda.mem_get_info(device)
        own = torch.cuda.memory_allocated(device)
        torch.cuda.set_per_process_memory_fraction(min(1.0, (available_bytes(device) + own) / total), device)


def resident_bytes(config: Any, precision: Precision, compute_dtype: torch.dtype, *, unpacked: bool = False) -> int:
    """Bytes of a resident model's weights; `unpacked` layers of few bits also hold the values that their codes stand for."""
    model = make_skeleton(config, precision, compute_dtype)
    layers = few_bit_layers(model)
    coded = {id(layer.weight) for layer in layers}
    total: int = sum(p.numel() * compute_dtype.itemsize for p in model.parameters() if id(p) not in coded)
    for layer in layers:
        total += layer.code_bytes
        total += layer.in_features * layer.out_features * compute_dtype.itemsize if unpacked else 0
    return total


def unpacking_bytes(config: Any, precision: Precision, compute_dtype: torch.dtype) -> int:
    """Bytes that a card takes for the values of its largest layer of few bits, while it multiplies by it."""
    layers = few_bit_layers(make_skeleton(config, precision, compute_dtype))
    return _UNPACKING.get(precision, 0) * max((layer.in_features * layer.out_features for layer in layers), default=0)


def unpacked_fits(config: Any, precision: Precision, compute_dtype: torch.dtype, device: str, free: int) -> bool:
    """Whether the values of all layers of few bits fit into `free` bytes of RAM, with as much left for merging and the
    batches; False where a precision has no such layers."""
    if device != "cpu" or precision not in FEW_BITS:
        return False
    return 2 * resident_bytes(config, precision, compute_dtype, unpacked=True) <= free


def kv_bytes_per_token(config: Any, compute_dtype: torch.dtype) -> int:
    """Bytes of the keys and values of one token, all layers."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * compute_dtype.itemsize)


def workspace_bytes(config: Any, precision: Precision, compute_dtype: torch.dtype, device: str) -> int:
    """Bytes that a forward pass takes beside the cache, generously: what it makes of the tokens that it reads at once, their
    float32 logits, and on a card a layer's values."""
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    pass_bytes = PREFILL_TOKENS[device] * (8 * config.hidden_size + 4 * inner) * compute_dtype.itemsize
    unpacking = unpacking_bytes(config, precision, compute_dtype) if device == "cuda" else 0
    return int(pass_bytes + 3 * 4 * LOGITS_AT_ONCE) + unpacking


def fit_batch(budget: MemoryBudget, row_tokens: int, device: torch.device) -> int:
    """Rows of `row_tokens` tokens that fit together; at least 1.

    Counted twice over: rows that wait to be decoded are copied into the batch that decodes them.
    """
    room = SHARE[device.type] * budget.free - budget.workspace
    return max(1, min(MOST_ROWS[device.type], int(room // (2 * row_tokens * budget.token))))
