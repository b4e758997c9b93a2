"""The same 5 bits as `int5.py`'s in plain torch, on whatever device the tensors are."""

from __future__ import annotations

import torch
from torch import Tensor

from evomerge_quant.resident.network.few_bits.blocks import BLOCK
from evomerge_quant.resident.network.few_bits.blocks_on_card import in_blocks, inverse_of, quantize_in_parts, values_of
from evomerge_quant.resident.network.few_bits.int5 import BLOCK_BYTES, HIGH_BYTES, LARGEST_CODE, MIDDLE_CODE

_HALF = BLOCK // 2


def quantize(weight: Tensor, codes: Tensor, scales: Tensor) -> Tensor:
    """Quantises `weight` [out, in] to `codes` (uint8 [out, bytes]) and `scales` (float16 [out, blocks]).

    False when the tensor holds NaN, Inf, or a weight above 1.04 million; what was written is then of no use.
    """
    return quantize_in_parts(_quantize_rows, weight, codes, scales)


def dequantize(codes: Tensor, scales: Tensor, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """The values that codes and scales stand for: (code - 16) * scale in float32, rounded to `dtype`."""
    packed = codes.reshape(codes.shape[0], -1, BLOCK_BYTES)
    high, pairs = packed[:, :, :HIGH_BYTES], packed[:, :, HIGH_BYTES:]
    places = torch.arange(8, dtype=torch.uint8, device=codes.device)
    fifth = ((high.unsqueeze(3) >> places) & 1).flatten(2)
    found = torch.cat([pairs & 15, pairs >> 4], dim=2) | (fifth << 4)
    return values_of(found.to(torch.int8) - MIDDLE_CODE, scales, shape, dtype)


def _quantize_rows(weight: Tensor, codes: Tensor, scales: Tensor) -> None:
    blocks = in_blocks(weight)
    furthest = blocks.gather(2, blocks.abs().argmax(dim=2, keepdim=True))
    exact = furthest / torch.full_like(furthest, -MIDDLE_CODE)  # by a number, cards multiply by its inverse
    scales.copy_(exact.squeeze(2))
    moved = blocks * inverse_of(exact) + (MIDDLE_CODE + 0.5)
    found = moved.clamp(0, LARGEST_CODE).to(torch.uint8)
    places = torch.arange(8, dtype=torch.uint8, device=codes.device)
    fifth = (found >> 4).reshape(*found.shape[:2], HIGH_BYTES, 8) << places
    pairs = (found[:, :, :_HALF] & 15) | ((found[:, :, _HALF:] & 15) << 4)
    packed = torch.cat([fifth.sum(dim=3, dtype=torch.uint8), pairs], dim=2)
    codes.copy_(packed.flatten(1))
