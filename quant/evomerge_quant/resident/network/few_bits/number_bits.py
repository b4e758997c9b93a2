"""Weights as compiled loops read them: by their bits, in bfloat16 or float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from evomerge_core.compiled import compiled


def bits_of(weight: Tensor) -> Any:
    """The bits of a contiguous tensor on the CPU, of any shape: uint16 for bfloat16, uint32 for float32 and widened float16.

    ValueError for another dtype.
    """
    if weight.dtype == torch.bfloat16:
        return weight.view(torch.int16).numpy().view(np.uint16)
    if weight.dtype in (torch.float16, torch.float32):
        return weight.float().numpy().view(np.uint32)
    raise ValueError(f"can't quantise {weight.dtype}: want bfloat16, float16 or float32")


# Loops with these run over whole slices from 0: only then does the compiler know that no index is negative, and treats eight
# numbers at a time.
@compiled
def number_at(bits, i):  # type: ignore[no-untyped-def]
    """The number whose bits are bits[i], as float32."""
    wide = np.uint32(_wide(bits, i))  # numba reads a name's bits only when it is bound to a number like this, once
    return wide.view(np.float32)


@compiled
def largest_of(bits):  # type: ignore[no-untyped-def]
    """The largest magnitude, as float32; NaN or Inf where there is one."""
    # Without their signs, floats are ordered as their bits are, and NaN and Inf come last.
    most = np.uint32(0)
    for i in range(bits.size):
        most = max(most, np.uint32(_wide(bits, i) & np.uint32(0x7FFFFFFF)))
    found = np.uint32(most)
    return found.view(np.float32)


@compiled
def inverse_of(scale):  # type: ignore[no-untyped-def]
    """1 / scale; 0 where that is none, or too large for a number. GGUF's codes are made by it, not by a division."""
    inverse = np.float32(1) / scale
    return inverse if np.isfinite(inverse) else np.float32(0)


@compiled
def _wide(bits, i):  # type: ignore[no-untyped-def]
    if bits.itemsize == 2:
        return np.uint32(np.uint32(bits[i]) << np.uint32(16))
    return np.uint32(bits[i])
