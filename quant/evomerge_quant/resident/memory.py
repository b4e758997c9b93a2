"""What fits: the bytes of a resident model and of its cache, and the batch that the free memory allows."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from evomerge_quant.ram import available_ram
from evomerge_quant.resident.answering.room import PassSizes, answering_bytes
from evomerge_quant.resident.answering.row_lengths import RowLengths
from evomerge_quant.resident.network.carry import PART_BYTES
from evomerge_quant.resident.network.few_bits.blocks_on_card import AT_ONCE
from evomerge_quant.resident.network.plain_attention import fused_attention_works
from evomerge_quant.resident.network.skeleton import FEW_BITS, Precision, few_bit_layers, make_skeleton

# Rows beyond these make a batch no faster.
MOST_ROWS = {"cpu": 64, "cuda": 256}
# Of the free memory, the share that a batch may take. RAM is shared with merging, and running out of it ends the process.
SHARE = {"cpu": 0.5, "cuda": 0.9}

# Bytes a weight that a card takes to unpack a layer for a product, in int5 and int8; NF4's are one kernel's.
_UNPACKING: Mapping[Precision, int] = {"nf4": 2, "int5": 9, "int8": 6}
# Bytes a weight of what a card makes of a part that it takes: of all of it, and of the weights that it quantises at a time.
_MADE_OF_A_PART: Mapping[Precision, float] = {"nf4": 0.57, "int5": 0, "int8": 0}
_MADE_AT_ONCE: Mapping[Precision, float] = {"nf4": 0, "int5": 13.3, "int8": 28.3}
# In RAM, two parts that the card reads by itself.
PINNED_BYTES = 2 * PART_BYTES
# Bytes a weight that the CPU takes for that where it multiplies in less than float32: both.
_UNPACKING_ON_CPU = 6


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


def _largest_few_bit(model: Any) -> int:
    """Weights of the largest layer of few bits; 0 without any."""
    return max((layer.in_features * layer.out_features for layer in few_bit_layers(model)), default=0)


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


def pass_sizes(
    config: Any, precision: Precision, compute_dtype: torch.dtype, device: str, *, hops: int | None = None
) -> PassSizes:
    """What the memory of a model's passes goes by; `hops` are the layers of the route that tokens take (None: the model's own).

    Few bits count as they are multiplied where no values are kept. InputError for a config that no model can be built of.
    """
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    few_bits = precision in FEW_BITS
    each = _UNPACKING[precision] if few_bits and device == "cuda" else 0
    if few_bits and device == "cpu" and compute_dtype != torch.float32:
        each = _UNPACKING_ON_CPU
    layers = config.num_hidden_layers if hops is None else hops
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    model = make_skeleton(config, precision, compute_dtype)
    wide = [module.out_features for module in model.modules() if isinstance(module, nn.Linear)]
    return PassSizes(
        device=device,
        hidden=config.hidden_size,
        inner=inner,
        inner_parts=4 if 2 * inner in wide else 3,
        attended=heads * width,
        heads=heads,
        layers=layers,
        token=kv_bytes_per_token(config, compute_dtype) * layers // config.num_hidden_layers,
        vocabulary=config.vocab_size,
        itemsize=compute_dtype.itemsize,
        masks=len(set(getattr(config, "layer_types", None) or [""])),
        unpacked=each * _largest_few_bit(model),
        scores=_keeps_scores(config, compute_dtype, device),
    )


def _keeps_scores(config: Any, compute_dtype: torch.dtype, device: str) -> bool:
    """Whether attention isn't one kernel: where scores are bent, and where the CPU's kernel fails."""
    if device == "cpu" and compute_dtype == torch.float32:
        return False
    bent = getattr(config, "attn_logit_softcapping", None) is not None
    return bent or (device == "cpu" and not fused_attention_works(compute_dtype))


def taking_bytes(config: Any, precision: Precision, compute_dtype: torch.dtype) -> int:
    """Bytes that a card takes beside a weight's own room while it takes it: a part of it in bfloat16, and what is made of that.
    What isn't in few bits is copied straight into its room."""
    if precision not in FEW_BITS:
        return 0
    largest = _largest_few_bit(make_skeleton(config, precision, compute_dtype))
    part = min(largest, PART_BYTES // 2)
    # the part before it is there until the next has come
    before = 2 * part if largest > part else 0
    return int((2 + _MADE_OF_A_PART[precision]) * part + max(before, _MADE_AT_ONCE[precision] * min(part, AT_ONCE)))


def fit_batch(free: int, sizes: PassSizes, lengths: RowLengths) -> int:
    """How many rows can be answered together in their share of `free` bytes; at least 1."""
    room = int(SHARE[sizes.device] * free)
    most = MOST_ROWS[sizes.device]
    return max(1, bisect_right(range(1, most + 1), room, key=partial(answering_bytes, sizes, lengths)))
