"""Rows as blocks of 32 weights in plain torch, on whatever device the tensors are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from evomerge_quant.resident.network.few_bits.blocks import BLOCK

# Weights that are quantised at a time: each takes some float32 numbers meanwhile.
AT_ONCE = 1 << 22


def in_blocks(matrix: Tensor) -> Tensor:
    """[out, in] as [out, blocks, 32], with zeros at the end of a row that is no whole blocks."""
    missing = -matrix.shape[1] % BLOCK
    whole = nn.functional.pad(matrix, (0, missing)) if missing else matrix
    return whole.reshape(matrix.shape[0], -1, BLOCK)


def quantize_in_parts(
    quantize: Callable[[Tensor, Tensor, Tensor], None], weight: Tensor, codes: Tensor, scales: Tensor
) -> Tensor:
    """Quantises some rows of `weight` [out, in] at a time to `codes` and `scales`; False, on their device, when a scale is no
    finite number."""
    at_once = max(1, AT_ONCE // weight.shape[1])
    for first in range(0, weight.shape[0], at_once):
        some = slice(first, first + at_once)
        quantize(weight[some].to(torch.float32), codes[some], scales[some])
    return torch.isfinite(scales).all()


def values_of(numbers: Tensor, scales: Tensor, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """number * scale in float32, rounded to `dtype`: whole numbers [out, blocks, 32] and scales [out, blocks]."""
    values = numbers * scales.to(torch.float32).unsqueeze(2)
    return values.reshape(shape[0], -1)[:, : shape[1]].to(dtype)


def inverse_of(scales: Tensor) -> Tensor:
    """1 / scale; 0 where that is none, or too large for a number."""
    return scales.reciprocal().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
