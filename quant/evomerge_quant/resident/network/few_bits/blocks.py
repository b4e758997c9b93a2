"""Blocks of 32 weights that lie beside each other in a row, with a float16 scale each: what 5 and 8 bits share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from evomerge_quant.resident.network.few_bits.number_bits import bits_of

BLOCK = 32


def block_count(width: int) -> int:
    """Blocks, and so scales, of a row of `width` weights; the last may be short."""
    return -(-width // BLOCK)


def quantize_blocks(
    measure: Callable[[Any, Any], None],
    write_codes: Callable[[Any, Any, Any, Any, Any], None],
    weight: Tensor,
    codes: Tensor,
    scales: Tensor,
    dense: Tensor | None,
) -> bool:
    """Quantises `weight` [out, in] on the CPU by two compiled loops: one finds each block's scale, the other writes the codes
    by the scales before and after they were rounded, and to `dense` (float32 [out, in]), when given, what the codes stand for.

    False when a scale is no number that float16 can hold.
    """
    bits = bits_of(weight.detach().contiguous())
    exact = torch.empty(scales.shape)
    measure(bits, exact.numpy())
    scales.copy_(exact)
    if not bool(torch.isfinite(scales).all()):
        return False
    values = torch.empty(0, 0) if dense is None else dense
    write_codes(bits, exact.numpy(), scales.float().numpy(), codes.numpy(), values.numpy())
    return True
