"""Sums over a whole tensor, in float64 and in pieces of fixed size.

A float32 sum of millions of entries depends on the number of threads in its last digits; these don't in any digit
that reaches a result.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_CHUNK = 1 << 20


def dot(left: Tensor, right: Tensor) -> float:
    """The dot product of two tensors of one shape, each taken as one vector."""
    pairs = zip(_pieces(left), _pieces(right), strict=True)
    return _total([torch.dot(a.double(), b.double()) for a, b in pairs])


def norm(tensor: Tensor) -> float:
    """The Euclidean norm of a tensor taken as one vector."""
    return math.sqrt(dot(tensor, tensor))


def l1_norm(tensor: Tensor) -> float:
    """The sum of the magnitudes of a tensor's entries."""
    return _total([piece.abs().sum(dtype=torch.float64) for piece in _pieces(tensor)])


def _pieces(tensor: Tensor) -> list[Tensor]:
    flat = tensor.reshape(-1)
    return [flat[start : start + _CHUNK] for start in range(0, flat.numel(), _CHUNK)]


def _total(parts: list[Tensor]) -> float:
    return float(torch.stack(parts).sum()) if parts else 0.0
