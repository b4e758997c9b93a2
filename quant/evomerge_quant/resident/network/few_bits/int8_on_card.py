"""The same 8 bits as `int8.py`'s in plain torch, on whatever device the tensors are."""

from __future__ import annotations

import torch
from torch import Tensor

from evomerge_quant.resident.network.few_bits.blocks_on_card import in_blocks, inverse_of, quantize_in_parts, values_of
from evomerge_quant.resident.network.few_bits.int8 import LARGEST_CODE


def quantize(weight: Tensor, codes: Tensor, scales: Tensor) -> Tensor:
    """Quantises `weight` [out, in] to `codes` (int8 [out, in]) and `scales` (float16 [out, blocks]).

    False when the tensor holds NaN, Inf, or a weight above 8.3 million; what was written is then of no use.
    """
    return quantize_in_parts(_quantize_rows, weight, codes, scales)


def dequantize(codes: Tensor, scales: Tensor, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """The values that codes and scales stand for: code * scale in float32, rounded to `dtype`."""
    return values_of(in_blocks(codes), scales, shape, dtype)


def _quantize_rows(weight: Tensor, codes: Tensor, scales: Tensor) -> None:
    rows, width = weight.shape
    blocks = in_blocks(weight)
    largest = blocks.abs().amax(dim=2, keepdim=True)
    exact = largest / torch.full_like(largest, LARGEST_CODE)  # by a number, cards multiply by its inverse
    scales.copy_(exact.squeeze(2))
    scaled = blocks * inverse_of(exact)
    size = scaled.abs()
    whole = size.floor()
    rounded = (whole + (size - whole >= 0.5)) * scaled.sign()
    codes.copy_(rounded.reshape(rows, -1)[:, :width])
