"""Attention in plain products, for processors on which torch's own in one kernel fails."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn

# From so many tokens on torch packs keys and values, where it can.
_TOKENS = 64


def attend_plainly_if_needed(model: Any, dtype: torch.dtype, device: torch.device) -> bool:
    """Lets a transformers model attend by plain products where the CPU's own kernel of `dtype` fails; whether it does now."""
    if device.type != "cpu" or fused_attention_works(dtype):
        return False
    model.set_attn_implementation("eager")
    return True


@cache
def fused_attention_works(dtype: torch.dtype) -> bool:
    """Whether torch's attention takes longer texts in `dtype` here. With its loops kept to AVX2, as they are in our processes,
    it still packs bfloat16 where the processor has AMX or AVX512-BF16, and then finds that it can't (2.13)."""
    some = torch.zeros(1, 1, _TOKENS, _TOKENS, dtype=dtype)
    try:
        nn.functional.scaled_dot_product_attention(some, some, some, attn_mask=some)
    except RuntimeError:
        return False
    return True
