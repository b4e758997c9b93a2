"""The same 8 bits as `int8.py`'s in plain torch, on whatever device the tensors are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evomerge_quant.resident.network.few_bits.int8 import BLOCK, LARGEST_CODE

# Weights that are quantised at a time: each takes some float32 numbers meanwhile.
_AT_ONCE = 1 << 22


def quantize(weight: Tensor, codes: Tensor, scales: Tensor) -> bool:
    """Quantises `weight` [out, in] to `codes` (int8 [out, in]) and `scales` (float16 [out, blocks]).

    False when the tensor holds NaN, Inf, or a weight above 8.3 million; what was written is then of no use.
    """
    at_once = max(1, _AT_ONCE // weight.shape[1])
    for first in range(0, weight.shape[0], at_once):
        some = slice(first, first + at_once)
        _quantize_rows(weight[some], codes[some], scales[some])
    return bool(torch.isfinite(scales).all())


def dequantize(codes: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """The values that codes and scales stand for: code * scale in float32, rounded to `dtype`."""
    rows, width = codes.shape
    values = _blocks(codes) * scales.to(torch.float32).unsqueeze(2)
    return values.reshape(rows, -1)[:, :width].to(dtype)


def _quantize_rows(weight: Tensor, codes: Tensor, scales: Tensor) -> None:
    rows, width = weight.shape
    blocks = _blocks(weight.to(torch.float32))
    largest = blocks.abs().amax(dim=2, keepdim=True)
    exact = largest / torch.full_like(largest, LARGEST_CODE)  # by a number, cards multiply by its inverse
    scales.copy_(exact.squeeze(2))
    inverse = exact.reciprocal().nan_to_num(nan=0.0, posinf=0.0)
    scaled = blocks * inverse
    size = scaled.abs()
    whole = size.floor()
    rounded = (whole + (size - whole >= 0.5)) * scaled.sign()
    codes.copy_(rounded.reshape(rows, -1)[:, :width])


def _blocks(matrix: Tensor) -> Tensor:
    """[out, blocks, 32], with zeros at the end of a row that is no whole blocks."""
    missing = -matrix.shape[1] % BLOCK
    whole = nn.functional.pad(matrix, (0, missing)) if missing else matrix
    return whole.reshape(matrix.shape[0], -1, BLOCK)
