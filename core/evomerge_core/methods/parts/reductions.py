"""Sums over a whole tensor, in float64 and in pieces of fixed size; and the sum of a merge's weights.

torch shares a long sum among its threads, so that its last digits depend on their number. A row of some thousand entries it
leaves to one thread, and the rows' sums are added without any rounding but the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

_CHUNK = 1 << 20
_ROW = 1 << 12


def dot(left: Tensor, right: Tensor) -> float:
    """The dot product of two tensors of one shape, each taken as one vector."""
    pairs = zip(_pieces(left), _pieces(right), strict=True)
    return _total(a.double() * b.double() for a, b in pairs)


def norm(tensor: Tensor) -> float:
    """The Euclidean norm of a tensor taken as one vector."""
    return math.sqrt(dot(tensor, tensor))


def row_norms(matrix: Tensor) -> Tensor:
    """The Euclidean norm of each row of a matrix [rows, columns]: [rows], float32."""
    squares = torch.zeros(matrix.shape[0], dtype=torch.float64)
    for start in range(0, matrix.shape[1], _ROW):
        piece = matrix[:, start : start + _ROW].double().contiguous()
        squares += (piece * piece).sum(dim=1)
    return squares.sqrt().to(torch.float32)


def mean_row(matrix: Tensor) -> Tensor:
    """The mean of the rows of a matrix [rows, columns]: [columns], float32."""
    total = torch.zeros(matrix.shape[1], dtype=torch.float64)
    for start in range(0, matrix.shape[0], _ROW):
        total += matrix[start : start + _ROW].t().double().contiguous().sum(dim=1)
    return (total / matrix.shape[0]).to(torch.float32)


def l1_norm(tensor: Tensor) -> float:
    """The sum of the magnitudes of a tensor's entries."""
    return _total(piece.abs().double() for piece in _pieces(tensor))


def total_weight(weights: Sequence[float]) -> float:
    """The sum in float32, as the maths of a merge is: what it divides shows the last digit where terms cancel."""
    return float(torch.tensor(weights, dtype=torch.float32).sum())


def _pieces(tensor: Tensor) -> list[Tensor]:
    flat = tensor.reshape(-1)
    return [flat[start : start + _CHUNK] for start in range(0, flat.numel(), _CHUNK)]


def _total(pieces: Iterable[Tensor]) -> float:
    return math.fsum(number for piece in pieces for number in _row_sums(piece))


def _row_sums(piece: Tensor) -> list[float]:
    whole = piece.numel() // _ROW * _ROW
    sums: list[float] = [*piece[:whole].view(-1, _ROW).sum(dim=1).tolist(), float(piece[whole:].sum())]
    return sums
