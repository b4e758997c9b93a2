"""Activations and rotary tables in float32 on the CPU whose bits depend on nothing but the number that they are taken of.

torch computes eight numbers at a time, and what is left at the end of a thread's share one by one, by another formula: so the
last bit of a number would depend on how many others there are, and on the number of threads. Here every share is whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import GELUTanh, SiLUActivation

# torch's vectorised loops take two registers of eight float32 numbers at a time.
_AT_ONCE = 16
# Up to this many numbers torch leaves a tensor to one thread (at::internal::GRAIN_SIZE, and GELU's own limit).
_SHARE = 32768
_GELU_SHARE = 16384

# Activations that torch computes by vectorised loops of its own, and those that are exact.
_ALIGNED = (nn.SiLU, SiLUActivation, GELUTanh)
_EXACT = (nn.ReLU, nn.Identity)


def fix_elementwise(model: nn.Module) -> bool:
    """Aligns a model's activations and rotary tables.

    False where it has an activation of another kind, such as exact GELU, which oneDNN computes by instruction set.
    """
    for module in model.modules():
        if isinstance(module, _ALIGNED):
            setattr(module, "forward", partial(aligned, module.forward))  # noqa: B010 (mypy refuses the assignment)
        elif type(module).__name__.endswith("RotaryEmbedding"):
            setattr(module, "forward", partial(_aligned_tables, module.forward))  # noqa: B010
    return all(isinstance(module, (*_ALIGNED, *_EXACT)) for module in model.modules() if _is_activation(module))


def _is_activation(module: nn.Module) -> bool:
    return type(module).__module__ in ("transformers.activations", "torch.nn.modules.activation")


def aligned(activation: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The activation of x, any shape, padded so that each thread's share is a multiple of what is computed at once."""
    missing = _missing(x.numel(), torch.get_num_threads())
    if missing == 0 and x.is_contiguous():
        return activation(x)
    padded = nn.functional.pad(x.reshape(-1), (0, missing))
    return activation(padded)[: x.numel()].reshape(x.shape)


def _missing(size: int, threads: int) -> int:
    """How many numbers are added to `size`, so that torch's threads get equal shares that are whole."""
    padded = size
    while padded % (multiple := _AT_ONCE * math.lcm(*_shares(padded, threads))):
        padded += multiple - padded % multiple
    return padded - size


def _shares(size: int, threads: int) -> tuple[int, int]:
    """How many threads torch may share a tensor of `size` numbers among: as it does with most loops, and with GELU's."""
    return max(1, min(threads, -(-size // _SHARE))), threads if size > _GELU_SHARE else 1


def _aligned_tables(
    rotary: Callable[..., Any], x: Tensor, position_ids: Tensor, *rest: Any, **named: Any
) -> tuple[Tensor, Tensor]:
    """Cosines and sines [rows, tokens, width] of positions [rows, tokens], on one thread, for a multiple of 16 tokens."""
    tokens, threads = position_ids.shape[-1], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        padded = nn.functional.pad(position_ids, (0, -tokens % _AT_ONCE))
        cos, sin = rotary(x, padded, *rest, **named)
    finally:
        torch.set_num_threads(threads)
    return cos[..., :tokens, :], sin[..., :tokens, :]
