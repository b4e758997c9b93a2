"""Carries weights onto the card a part at a time, through two pinned buffers.

A part is on its way while the next one is merged and copied into the other buffer: the bus and the card work beside the CPU,
and nothing waits for them. The card never holds more of a tensor than a part beside what is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from evomerge_quant.resident.out_of_memory import is_out_of_memory

# The bus is fast from some MiB on.
PART_BYTES = 1 << 25
# Blocks of 64 weights over the flat tensor end where so many rows end, whatever their width.
_ROWS = 64


@dataclass(frozen=True, eq=False)
class _Buffer:
    """Memory that the card reads by itself, and the event after which it has read it."""

    memory: Tensor
    free: torch.cuda.Event


def row_parts(weight: Tensor, device: torch.device) -> Iterator[tuple[int, Tensor]]:
    """A weight [out, in] as (its first row, some rows on `device`), valid until the next is asked for; all parts but the last
    have a multiple of 64 rows."""
    width = weight.shape[1]
    at_once = max(1, PART_BYTES // (_ROWS * width * weight.element_size())) * _ROWS
    if weight.device.type == device.type:
        yield from ((first, weight[first : first + at_once]) for first in range(0, weight.shape[0], at_once))
        return
    for start, part in _pinned(weight, at_once * width):
        yield start // width, part.to(device, non_blocking=True).view(-1, width)


def carry_into(room: Tensor, tensor: Tensor) -> None:
    """Copies a tensor on the CPU into `room`, which is on the card, of its shape and contiguous."""
    flat = room.view(-1)
    for start, part in _pinned(tensor.to(room.dtype), PART_BYTES // room.element_size()):
        flat[start : start + len(part)].copy_(part, non_blocking=True)


def all_finite(tensor: Tensor) -> Tensor:
    """Whether no number is NaN or Inf: a number on the tensor's device. In float64 no sum of them overflows."""
    return torch.isfinite(tensor.sum(dtype=torch.float64))


def _pinned(tensor: Tensor, at_once: int) -> Iterator[tuple[int, Tensor]]:
    """(start, numbers) over the flat tensor, in pinned memory; whoever takes them queues their copy before the next part."""
    flat = tensor.contiguous().view(-1)
    for number, start in enumerate(range(0, len(flat), at_once)):
        part = flat[start : start + at_once]
        buffer = _buffers(max(PART_BYTES, part.nbytes))[number % 2]
        buffer.free.synchronize()
        pinned = buffer.memory[: part.nbytes].view(part.dtype)
        pinned.copy_(part)
        try:
            yield start, pinned
        finally:
            buffer.free.record()


@cache
def _buffers(size: int) -> tuple[_Buffer, _Buffer]:
    return _buffer(size), _buffer(size)


def _buffer(size: int) -> _Buffer:
    try:
        memory = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        memory = torch.empty(size, dtype=torch.uint8)  # slower, since the driver copies it once more
    return _Buffer(memory, torch.cuda.Event())  # type: ignore[no-untyped-call]
