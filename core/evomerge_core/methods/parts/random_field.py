"""Uniform numbers that are a pure function of (key, flat index): the same on every device, in chunks or whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

_CHUNK = 1 << 20


def field_key(seed: int, tensor: str, source: str) -> int:
    """The 64-bit key of a source's field over a tensor."""
    digest = hashlib.sha256(f"{seed}|{tensor}|{source}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def uniform_field(key: int, shape: Sequence[int], offset: int = 0, device: torch.device | str = "cpu") -> Tensor:
    """Float32 numbers in [0, 1), multiples of 2**-24, for the flat indices offset .. offset + numel - 1 (below 2**32).

    Two rounds of murmur3's finaliser over an index sequence of odd stride, in 32-bit arithmetic, where torch's int32
    wraps as unsigned numbers do and right shifts are masked to be logical.
    """
    low, high = _signed(key), _signed(key >> 32)
    numel = torch.Size(shape).numel()
    field = torch.empty(numel, dtype=torch.float32, device=device)
    for start in range(0, numel, _CHUNK):
        stop = min(start + _CHUNK, numel)
        index = torch.arange(stop - start, dtype=torch.int32, device=device).add_(_signed(offset + start))
        bits = _mix(index.mul_(_signed(0x9E3779B1)).add_(low))
        bits = _mix(bits.bitwise_xor_(high))
        field[start:stop] = _shift(bits, 8)
    return field.mul_(2.0**-24).reshape(tuple(shape))


def _mix(bits: Tensor) -> Tensor:
    bits = bits.bitwise_xor_(_shift(bits, 16)).mul_(_signed(0x85EBCA6B))
    bits = bits.bitwise_xor_(_shift(bits, 13)).mul_(_signed(0xC2B2AE35))
    return bits.bitwise_xor_(_shift(bits, 16))


def _shift(bits: Tensor, count: int) -> Tensor:
    return (bits >> count).bitwise_and_((1 << (32 - count)) - 1)


def _signed(number: int) -> int:
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number >= 1 << 31 else number
