"""The n-th smallest number of a tensor, exactly, by counting bits: two passes that copy nothing whole.

torch's `kthvalue` copies the tensor, and on a card it takes twenty times as long as sorting it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_PIECE = 1 << 22
_LOW_BITS = 16
_SIGN = 1 << 31


def nth_smallest(values: Tensor, n: int) -> float:
    """The n-th (from 1) of a tensor's numbers, as float32, in ascending order; NaN without a sign counts as the largest."""
    by_high = _counts(keys >> _LOW_BITS for keys in _ordered_bits(values))
    high, rank = _bin_of(by_high, n)
    by_low = _counts(keys[keys >> _LOW_BITS == high] & ((1 << _LOW_BITS) - 1) for keys in _ordered_bits(values))
    low, _ = _bin_of(by_low, rank)
    bits = (high << _LOW_BITS | low) - _SIGN
    bits = bits if bits >= 0 else bits ^ 0x7FFFFFFF
    return float(torch.tensor(bits, dtype=torch.int32).view(torch.float32))


def _ordered_bits(values: Tensor) -> Iterator[Tensor]:
    """The numbers' bits as whole numbers from 0 that are ordered as the numbers are, a piece at a time, int64."""
    flat = values.reshape(-1)
    for start in range(0, flat.numel(), _PIECE):
        bits = flat[start : start + _PIECE].to(torch.float32).contiguous().view(torch.int32)
        yield torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(torch.int64) + _SIGN


def _counts(numbers: Iterator[Tensor]) -> Tensor:
    """How often each number below 2**16 occurs, int64 on the CPU."""
    total = torch.zeros(1 << _LOW_BITS, dtype=torch.int64)
    for each in numbers:
        total += torch.bincount(each, minlength=1 << _LOW_BITS).cpu()
    return total


def _bin_of(counts: Tensor, n: int) -> tuple[int, int]:
    """The bin that holds the n-th, and its place within the bin (from 1)."""
    up_to = counts.cumsum(0)
    place = int(torch.searchsorted(up_to, n))
    return place, n - (int(up_to[place - 1]) if place else 0)
