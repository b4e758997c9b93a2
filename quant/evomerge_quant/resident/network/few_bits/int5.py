"""5 bits on the CPU, in compiled loops: quantising a tensor, the values that its codes stand for, and products with them.

Codes and scales are those of GGUF's Q5_0 (ggml-quants.c): (code - 16) * scale, the code a whole number from 0 to 31, one
float16 scale for 32 weights that lie beside each other in a row, such that the one furthest from 0 has the code 0. A block's
codes are 20 bytes: the codes' fifth bits, then their lower four, two codes a byte, 16 places apart. GGUF wants rows of whole
blocks; here a row's last block may be short, as if zeros followed.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import prange
from torch import Tensor

from evomerge_core.compiled import compiled, compiled_for_threads
from evomerge_core.fixed_order.products import COLUMNS_AT_ONCE, fill_columns
from evomerge_quant.resident.network.few_bits.blocks import BLOCK, block_count, quantize_blocks
from evomerge_quant.resident.network.few_bits.number_bits import inverse_of, number_at

BLOCK_BYTES = 20
MIDDLE_CODE = 16
LARGEST_CODE = 31
HIGH_BYTES = 4


def code_bytes(width: int) -> int:
    """Bytes of a row's codes."""
    return BLOCK_BYTES * block_count(width)


def quantize(weight: Tensor, codes: Tensor, scales: Tensor, dense: Tensor | None = None) -> bool:
    """Quantises `weight` [out, in] (CPU; bfloat16, float16 or float32).

    Writes `codes` (uint8 [out, bytes]), `scales` (float16 [out, blocks]) and, when given, `dense` (float32 [out, in]: what the
    codes stand for). False when the tensor holds NaN, Inf, or a weight above 1.04 million, whose scale float16 can't hold;
    what was written is then of no use.
    """
    return quantize_blocks(_measure, _write_codes, weight, codes, scales, dense)


def dequantize(codes: Tensor, scales: Tensor, shape: tuple[int, int]) -> Tensor:
    """The values that codes and scales stand for, float32 of that shape: (code - 16) * scale."""
    values = torch.empty(shape)
    _write_all(codes.numpy(), scales.float().numpy(), values.numpy())
    return values


def multiply(rows: Tensor, codes: Tensor, scales: Tensor, out: Tensor) -> None:
    """Writes rows [rows, in] times the quantised weight [out, in] transposed to `out` [rows, out]; all are contiguous.

    The bits are those of `products.product` with the dequantised weight, of which only a few rows at a time are in memory.
    """
    _multiply(rows.data_ptr(), *rows.shape, codes.numpy(), scales.float().numpy(), out.data_ptr())


@compiled_for_threads
def _measure(bits, scales):  # type: ignore[no-untyped-def]
    """Each block's scale before it is rounded."""
    for row in prange(bits.shape[0]):
        for block in range(scales.shape[1]):
            first, end = block * BLOCK, min(bits.shape[1], (block + 1) * BLOCK)
            scales[row, block] = _furthest(bits[row, first:end]) / np.float32(-MIDDLE_CODE)


@compiled
def _furthest(bits):  # type: ignore[no-untyped-def]
    """The first of the numbers that are furthest from 0; NaN or Inf where there is one."""
    most, place = np.float32(-1), 0
    for i in range(bits.size):
        size = abs(number_at(bits, i))
        if size > most or size != size:
            most, place = size, i
    return number_at(bits, place)


@compiled_for_threads
def _write_codes(bits, exact, scales, codes, dense):  # type: ignore[no-untyped-def]
    for row in prange(bits.shape[0]):
        found = np.empty(BLOCK, np.uint8)
        for block in range(scales.shape[1]):
            first, end = block * BLOCK, min(bits.shape[1], (block + 1) * BLOCK)
            _find_codes(bits[row, first:end], inverse_of(exact[row, block]), found)
            _pack(found, codes[row, block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES])
            if dense.size:
                _scale(found, scales[row, block], dense[row, first:end])


@compiled
def _find_codes(bits, inverse, found):  # type: ignore[no-untyped-def]
    for i in range(bits.size):
        moved = number_at(bits, i) * inverse + np.float32(MIDDLE_CODE + 0.5)
        found[i] = np.uint8(min(np.int32(moved), np.int32(LARGEST_CODE)))
    for i in range(bits.size, BLOCK):
        found[i] = np.uint8(MIDDLE_CODE)


@compiled
def _pack(found, codes):  # type: ignore[no-untyped-def]
    for i in range(HIGH_BYTES):
        high = np.uint32(0)
        for j in range(8):
            high = np.uint32(high | np.uint32(np.uint32(found[8 * i + j] >> np.uint8(4)) << np.uint32(j)))
        codes[i] = np.uint8(high)
    for i in range(16):
        low, upper = np.uint32(found[i] & np.uint8(15)), np.uint32(found[i + 16] & np.uint8(15))
        codes[HIGH_BYTES + i] = np.uint8(np.uint32(low | np.uint32(upper << np.uint32(4))))


@compiled
def _unpack(codes, found):  # type: ignore[no-untyped-def]
    for i in range(16):
        pair = np.uint32(codes[HIGH_BYTES + i])
        found[i] = np.uint8(pair & np.uint32(15))
        found[i + 16] = np.uint8(pair >> np.uint32(4))
    for i in range(BLOCK):
        high = np.uint32(np.uint32(codes[i // 8]) >> np.uint32(i % 8)) & np.uint32(1)
        found[i] = np.uint8(np.uint32(found[i]) | np.uint32(high << np.uint32(4)))


@compiled
def _scale(found, scale, values):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        values[i] = np.float32(np.int32(found[i]) - np.int32(MIDDLE_CODE)) * scale


@compiled_for_threads
def _write_all(codes, scales, values):  # type: ignore[no-untyped-def]
    for row in prange(codes.shape[0]):
        _write_row(codes[row], scales[row], values[row])


@compiled
def _write_row(codes, scales, values):  # type: ignore[no-untyped-def]
    found = np.empty(BLOCK, np.uint8)
    for block in range(scales.size):
        _unpack(codes[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES], found)
        _scale(found, scales[block], values[block * BLOCK : min(values.size, (block + 1) * BLOCK)])


@compiled_for_threads
def _multiply(left, rows, depth, codes, scales, out):  # type: ignore[no-untyped-def]
    columns = codes.shape[0]
    for part in prange((columns + COLUMNS_AT_ONCE - 1) // COLUMNS_AT_ONCE):
        first = part * COLUMNS_AT_ONCE
        end = min(columns, first + COLUMNS_AT_ONCE)
        values = np.empty((end - first, depth), np.float32)
        for row in range(first, end):
            _write_row(codes[row], scales[row], values[row - first])
        fill_columns(left, rows, values.ctypes.data, first, end, columns, depth, out)
