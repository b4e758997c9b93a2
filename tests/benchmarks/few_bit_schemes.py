"""Ways to hold matrices in few bits that the product doesn't have: what `precision_ranks.py` compares with those that it has.

Each takes a matrix [out, in] on the CPU and gives the values that its codes would stand for, and their bits with all scales.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection
from dataclasses import dataclass

import gguf
import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from torch import Tensor, nn

from evomerge_core.compiled import compiled
from evomerge_quant.resident.network.few_bits import nf4
from evomerge_quant.resident.network.few_bits.block_linear import BlockScheme, Int8Linear
from evomerge_quant.resident.network.few_bits.blocks import block_count

# What llama.cpp takes instead where a row is no whole number of a type's blocks (src/llama-quant.cpp, tensor_type_fallback).
_FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
# Shares of the largest magnitude that are tried as the largest level's value. Above 1 no level of NF4 would be nearer to it.
_SHARES = np.linspace(0.7, 1.0, 13, dtype=np.float32)


@dataclass(frozen=True)
class Coded:
    """The values of a matrix, float32 of its shape, and the bits that they take."""

    values: Tensor
    bits: int


# A tensor's name, and the tensor.
Scheme = Callable[[str, Tensor], Coded]


def sixteen(_: str, weight: Tensor) -> Coded:
    """bfloat16, in which merges are shipped."""
    return Coded(weight.bfloat16().float(), 16 * weight.numel())


def plain_nf4(_: str, weight: Tensor) -> Coded:
    """The product's NF4: blocks of 64, the largest magnitude as a float32 scale."""
    codes, absmax = torch.empty(nf4.code_bytes(weight.numel()), dtype=torch.uint8), torch.empty(nf4.block_count(weight.numel()))
    values = torch.empty(weight.shape)
    nf4.quantize(weight, codes, absmax, values)
    return Coded(values, 8 * codes.nbytes + 8 * absmax.nbytes)


def in_blocks(blocks: BlockScheme) -> Scheme:
    """The product's blocks of 32: its int8 or int5."""

    def quantise(_: str, weight: Tensor) -> Coded:
        rows, width = weight.shape
        codes = torch.empty(rows, blocks.row_entries(width), dtype=blocks.dtype)
        scales, values = torch.empty(rows, block_count(width), dtype=torch.float16), torch.empty(weight.shape)
        blocks.quantize(weight, codes, scales, values)
        return Coded(values, 8 * codes.nbytes + 8 * scales.nbytes)

    return quantise


def finer_nf4(block: int, *, least_error: bool) -> Scheme:
    """NF4 in other blocks, with float16 scales: the largest magnitude, or what makes the squared error least.

    As ggml's quantisers do it: of the codes that several scales give, those whose best scale leaves least.
    """
    shares = _SHARES if least_error else np.ones(1, np.float32)

    def quantise(_: str, weight: Tensor) -> Coded:
        flat = weight.float().reshape(-1)
        blocks = nn.functional.pad(flat, (0, -flat.numel() % block)).reshape(-1, block).numpy()
        levels, scales = np.empty_like(blocks), np.empty((len(blocks), 1), np.float32)
        _fit_levels(blocks, shares, least_error, levels, scales)
        values = torch.from_numpy(levels * scales.astype(np.float16).astype(np.float32))
        bits = 4 * flat.numel() + 16 * len(blocks)
        return Coded(values.reshape(-1)[: flat.numel()].reshape(weight.shape), bits)

    return quantise


def mixed(more: Collection[str]) -> Scheme:
    """The product's int8 for the tensors that are named, its NF4 for all others."""
    eight = in_blocks(Int8Linear.scheme)
    return lambda name, weight: (eight if name in more else plain_nf4)(name, weight)


def ggml(kind: str) -> Scheme:
    """A GGUF type, quantised by ggml itself; rows that don't fit its blocks get the type that llama.cpp gives them."""
    from llama_cpp._ggml import libggml

    libggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    libggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p]

    def quantise(_: str, weight: Tensor) -> Coded:
        rows, width = weight.shape
        wanted = GGMLQuantizationType[kind]
        fits = width % GGML_QUANT_SIZES[wanted][0] == 0
        given = wanted if fits else GGMLQuantizationType[_FALLBACK[kind]]
        block, size = GGML_QUANT_SIZES[given]
        stored = np.empty((rows, width // block * size), np.uint8)
        source = weight.float().contiguous()
        libggml.ggml_quantize_chunk(int(given), source.data_ptr(), stored.ctypes.data, 0, rows, width, None)
        return Coded(torch.from_numpy(gguf.dequantize(stored, given)), 8 * stored.nbytes)

    return quantise


@compiled
def _fit_levels(blocks, shares, fitted, levels, scales):  # type: ignore[no-untyped-def]
    """Each weight's level, and each block's scale: its largest magnitude, or, `fitted`, the one that leaves least."""
    found = np.empty(blocks.shape[1], np.float32)
    for i in range(blocks.shape[0]):
        own = blocks[i]
        largest = np.float32(0)
        for j in range(own.size):
            largest = max(largest, abs(own[j]))
        best = np.float32(-1)
        for share in shares:
            inverse = np.float32(1) / max(share * largest, nf4.SMALLEST)
            along, length = _look_up(own, inverse, found)
            gain = along * along / max(length, nf4.SMALLEST)  # what the best scale takes off the sum of squares
            if gain > best:
                best = gain
                levels[i] = found
                scales[i, 0] = along / max(length, nf4.SMALLEST) if fitted else largest


@compiled
def _look_up(own, inverse, found):  # type: ignore[no-untyped-def]
    """The nearest levels; sums of weight * level and of level * level."""
    for j in range(own.size):
        above = np.int32(0)
        for k in range(15):
            above = np.int32(above + np.int32(own[j] * inverse > nf4.MIDPOINTS[k]))
        found[j] = nf4.LEVELS[above]
    along, length = np.float32(0), np.float32(0)
    for j in range(own.size):
        along += own[j] * found[j]
        length += found[j] * found[j]
    return along, length
