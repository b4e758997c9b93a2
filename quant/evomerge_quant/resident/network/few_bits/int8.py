"""8 bits on the CPU, in compiled loops: quantising a tensor, the values that its codes stand for, and products with them.

Codes and scales are those of GGUF's Q8_0 (ggml-quants.c): code * scale, the code a whole number from -127 to 127, one float16
scale for 32 weights that lie beside each other in a row. GGUF wants rows of whole blocks; here a row's last block may be short,
as if zeros followed.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import prange
from torch import Tensor

from evomerge_core.compiled import compiled, compiled_for_threads
from evomerge_core.fixed_order.products import COLUMNS_AT_ONCE, fill_columns
from evomerge_quant.resident.network.few_bits.blocks import BLOCK, quantize_blocks
from evomerge_quant.resident.network.few_bits.number_bits import inverse_of, largest_of, number_at

LARGEST_CODE = 127


def quantize(weight: Tensor, codes: Tensor, scales: Tensor, dense: Tensor | None = None) -> bool:
    """Quantises `weight` [out, in] (CPU; bfloat16, float16 or float32).

    Writes `codes` (int8 [out, in]), `scales` (float16 [out, blocks]) and, when given, `dense` (float32 [out, in]: what the
    codes stand for). False when the tensor holds NaN, Inf, or a weight above 8.3 million, whose scale float16 can't hold;
    what was written is then of no use.
    """
    return quantize_blocks(_measure, _write_codes, weight, codes, scales, dense)


def dequantize(codes: Tensor, scales: Tensor, shape: tuple[int, int]) -> Tensor:
    """The values that codes and scales stand for, float32 of that shape: code * scale."""
    values = torch.empty(shape)
    _write_all(codes.numpy(), scales.float().numpy(), values.numpy())
    return values


def multiply(rows: Tensor, codes: Tensor, scales: Tensor, out: Tensor) -> None:
    """Writes rows [rows, in] times the quantised weight [out, in] transposed to `out` [rows, out]; all are contiguous.

    The bits are those of `products.product` with the dequantised weight, of which only a few rows at a time are in memory.
    """
    _multiply(rows.data_ptr(), rows.shape[0], codes.numpy(), scales.float().numpy(), out.data_ptr())


@compiled_for_threads
def _measure(bits, scales):  # type: ignore[no-untyped-def]
    """Each block's scale before it is rounded."""
    for row in prange(bits.shape[0]):
        for block in range(scales.shape[1]):
            scales[row, block] = largest_of(_block(bits, row, block)) / np.float32(LARGEST_CODE)


@compiled_for_threads
def _write_codes(bits, exact, scales, codes, dense):  # type: ignore[no-untyped-def]
    for row in prange(bits.shape[0]):
        for block in range(scales.shape[1]):
            own = _block(codes, row, block)
            _round(_block(bits, row, block), inverse_of(exact[row, block]), own)
            if dense.size:
                _scale(own, scales[row, block], _block(dense, row, block))


@compiled
def _block(matrix, row, block):  # type: ignore[no-untyped-def]
    return matrix[row, block * BLOCK : min(matrix.shape[1], (block + 1) * BLOCK)]


@compiled
def _round(bits, inverse, codes):  # type: ignore[no-untyped-def]
    """Halves are rounded away from 0."""
    for i in range(bits.size):
        scaled = number_at(bits, i) * inverse
        size = abs(scaled)
        whole = np.int32(size)
        code = np.int32(whole + np.int32(size - np.float32(whole) >= np.float32(0.5)))
        codes[i] = np.int8(-code if scaled < np.float32(0) else code)


@compiled
def _scale(codes, scale, values):  # type: ignore[no-untyped-def]
    for i in range(codes.size):
        values[i] = np.float32(codes[i]) * scale


@compiled_for_threads
def _write_all(codes, scales, values):  # type: ignore[no-untyped-def]
    for row in prange(codes.shape[0]):
        _write_row(codes[row], scales[row], values[row])


@compiled
def _write_row(codes, scales, values):  # type: ignore[no-untyped-def]
    for block in range(scales.size):
        first, end = block * BLOCK, min(codes.size, (block + 1) * BLOCK)
        _scale(codes[first:end], scales[block], values[first:end])


@compiled_for_threads
def _multiply(left, rows, codes, scales, out):  # type: ignore[no-untyped-def]
    columns, depth = codes.shape
    for part in prange((columns + COLUMNS_AT_ONCE - 1) // COLUMNS_AT_ONCE):
        first = part * COLUMNS_AT_ONCE
        end = min(columns, first + COLUMNS_AT_ONCE)
        values = np.empty((end - first, depth), np.float32)
        for row in range(first, end):
            _write_row(codes[row], scales[row], values[row - first])
        fill_columns(left, rows, values.ctypes.data, first, end, columns, depth, out)
