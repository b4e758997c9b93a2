"""NF4 on the CPU, in compiled loops: quantising a tensor, the values that its codes stand for, and products with them.

bitsandbytes' own `dequantize_4bit` gives wrong values on AVX-512 for some widths that are no multiple of 64 (0.50.2).
"""

from __future__ import annotations

import numpy as np
import torch
from numba import prange
from torch import Tensor

from evomerge_core.compiled import compiled, compiled_for_threads
from evomerge_core.fixed_order.products import COLUMNS_AT_ONCE, fill_columns
from evomerge_quant.resident.network.few_bits.number_bits import bits_of, largest_of, number_at

BLOCK = 64

# The 16 levels of NF4 (QLoRA, https://arxiv.org/abs/2305.14314, appendix E), as float32; bitsandbytes uses the same.
LEVELS = np.array(
    [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
        -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ],
    dtype=np.float32,
)  # fmt: skip
MIDPOINTS = (LEVELS[:-1] + LEVELS[1:]) / np.float32(2)
# bitsandbytes divides by no smaller absmax than this.
SMALLEST = np.float32(1e-38)

_CHUNK = 64  # blocks given to a thread at a time


def code_bytes(count: int) -> int:
    """Bytes of packed codes for `count` weights."""
    return (count + 1) // 2


def block_count(count: int) -> int:
    """Blocks, and so scales, for `count` weights; the last block may be short."""
    return -(-count // BLOCK)


def quantize(weight: Tensor, codes: Tensor, absmax: Tensor, dense: Tensor | None = None) -> bool:
    """Quantises `weight` (CPU; bfloat16, float16 or float32; any shape) to NF4 in blocks of 64 over the flat tensor.

    Writes `codes` (uint8, two weights a byte, the first in the high half), `absmax` (float32, one a block) and, when
    given, `dense` (float32, one a weight: level * absmax). The bytes are those of bitsandbytes' `quantize_4bit` on CPU.
    False when the tensor holds NaN or Inf; what was written is then of no use.
    """
    flat = weight.detach().contiguous().reshape(-1)
    values = torch.empty(0) if dense is None else dense.reshape(-1)
    scales = absmax.reshape(-1).numpy()
    _quantize(bits_of(flat), codes.reshape(-1).numpy(), scales, values.numpy())
    return bool(np.isfinite(scales).all())


def dequantize(codes: Tensor, absmax: Tensor, shape: tuple[int, int]) -> Tensor:
    """The values that codes and scales stand for, float32 of that shape: level * absmax."""
    values = torch.empty(shape)
    _write_all(codes.reshape(-1).numpy(), absmax.numpy(), values.reshape(-1).numpy())
    return values


def multiply(rows: Tensor, codes: Tensor, absmax: Tensor, out: Tensor) -> None:
    """Writes rows [rows, in] times the quantised weight [out, in] transposed to `out` [rows, out]; all are contiguous.

    The bits are those of `products.product` with the dequantised weight, of which only a few rows at a time are in memory.
    """
    columns, depth = out.shape[1], rows.shape[1]
    _multiply(rows.data_ptr(), rows.shape[0], codes.reshape(-1).numpy(), absmax.numpy(), columns, depth, out.data_ptr())


@compiled_for_threads
def _quantize(bits, codes, absmax, dense):  # type: ignore[no-untyped-def]
    full = bits.size // 64
    for chunk in prange((full + _CHUNK - 1) // _CHUNK):
        found = np.empty(64, np.int32)
        for block in range(chunk * _CHUNK, min(full, (chunk + 1) * _CHUNK)):
            start = block * 64
            own = bits[start : start + 64]
            largest = largest_of(own)
            absmax[block] = largest
            _find_levels(own, np.float32(1) / max(largest, SMALLEST), found)
            _pack(found, codes[start // 2 : start // 2 + 32])
            if dense.size:
                _write_values(found, largest, dense[start : start + 64])
    if full * 64 < bits.size:
        _quantize_rest(bits[full * 64 :], codes[full * 32 :], absmax[full:], dense[full * 64 :])


@compiled
def _level(scaled):  # type: ignore[no-untyped-def]
    above = np.int32(0)
    for j in range(15):
        above += np.int32(scaled > MIDPOINTS[j])
    return above


@compiled
def _find_levels(bits, inverse, found):  # type: ignore[no-untyped-def]
    for i in range(64):
        found[i] = _level(number_at(bits, i) * inverse)


@compiled
def _pack(found, codes):  # type: ignore[no-untyped-def]
    for i in range(32):
        codes[i] = np.uint8(np.int32(np.int32(found[2 * i] << np.int32(4)) | found[2 * i + 1]))


@compiled
def _write_values(found, largest, dense):  # type: ignore[no-untyped-def]
    for i in range(64):
        dense[i] = LEVELS[np.uint32(found[i])] * largest


@compiled
def _quantize_rest(bits, codes, absmax, dense):  # type: ignore[no-untyped-def]
    # bitsandbytes treats a short last block otherwise than full ones: it divides, and keeps the raised scale.
    largest = max(largest_of(bits), SMALLEST)
    absmax[0] = largest
    for i in range(bits.size):
        level = _level(number_at(bits, i) / largest)
        if i % 2 == 0:
            codes[i // 2] = np.uint8((level << 4) | 7)
        else:
            codes[i // 2] = np.uint8((codes[i // 2] & 0xF0) | level)
        if dense.size:
            dense[i] = LEVELS[level] * largest


@compiled_for_threads
def _multiply(left, rows, codes, absmax, columns, depth, out):  # type: ignore[no-untyped-def]
    for part in prange((columns + COLUMNS_AT_ONCE - 1) // COLUMNS_AT_ONCE):
        first = part * COLUMNS_AT_ONCE
        end = min(columns, first + COLUMNS_AT_ONCE)
        values = np.empty((end - first) * depth, np.float32)
        _decode(codes, absmax, first * depth, values)
        fill_columns(left, rows, values.ctypes.data, first, end, columns, depth, out)


@compiled_for_threads
def _write_all(codes, absmax, values):  # type: ignore[no-untyped-def]
    size = _CHUNK * 64
    for chunk in prange((values.size + size - 1) // size):
        _decode(codes, absmax, chunk * size, values[chunk * size : (chunk + 1) * size])


@compiled
def _decode(codes, absmax, start, values):  # type: ignore[no-untyped-def]
    """The values of the weights from the `start`-th on, as many as `values` holds; a block may begin before them."""
    i = 0
    while i < values.size:
        block = (start + i) // 64
        end = min(values.size, (block + 1) * 64 - start)
        scale = absmax[block]
        for j in range(i, end):
            pair = np.uint32(codes[(start + j) // 2])
            level = pair & np.uint32(15) if (start + j) % 2 else pair >> np.uint32(4)
            values[j] = LEVELS[level] * scale
        i = end
