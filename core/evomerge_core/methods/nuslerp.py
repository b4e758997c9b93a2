"""NuSLERP: SLERP by weights, over whole tensors or rows, of two models or of their task vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.methods.method import PerSource, for_each, register
from evomerge_core.methods.parts.reductions import dot, norm

_SMALLEST_SUM = 1e-6
_SMALLEST_NORM = 1e-7
_SMALLEST_SINE = 1e-8


@register("nuslerp", min_sources=2, max_sources=2)
def nuslerp(
    tensors: list[Tensor],
    base: Tensor | None = None,
    *,
    weight: PerSource,
    nuslerp_flatten: bool = True,
    nuslerp_row_wise: bool = False,
) -> Tensor:
    """From the first model to the second, t = second weight / sum of both (0.5 when that is within 1e-6 of 0).

    `nuslerp_flatten` takes a tensor as one vector; else vectors run along the last dimension, or, `nuslerp_row_wise`,
    along the first. With a base the task vectors are interpolated and added to it.
    """
    if nuslerp_flatten and nuslerp_row_wise:
        raise InputError(
            "nuslerp_row_wise has no effect on flattened tensors", where="nuslerp", remedy="set nuslerp_flatten: false"
        )
    first, second = for_each(weight, tensors)
    t = 0.5 if abs(first + second) < _SMALLEST_SUM else second / (first + second)
    start, end = tensors if base is None else (tensors[0] - base, tensors[1] - base)
    cosine = _cosine(start, end) if nuslerp_flatten else _cosines(start, end, 0 if nuslerp_row_wise else -1)
    from_start, from_end = _shares(cosine, t)
    between = start * from_start + end * from_end
    return between if base is None else base + between


def _cosine(start: Tensor, end: Tensor) -> Tensor:
    lengths = max(norm(start), _SMALLEST_NORM) * max(norm(end), _SMALLEST_NORM)
    return torch.tensor(dot(start, end) / lengths, dtype=start.dtype, device=start.device)


def _cosines(start: Tensor, end: Tensor, dim: int) -> Tensor:
    return (_units(start, dim) * _units(end, dim)).sum(dim=dim, keepdim=True)


def _units(vectors: Tensor, dim: int) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=dim, keepdim=True)
    return vectors / lengths.clamp(min=_SMALLEST_NORM)


def _shares(cosine: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """What each end contributes at t; along the line where the sine of the angle is below 1e-8."""
    angle = torch.acos(cosine.clamp(-1, 1).double())
    sine = torch.sin(angle)
    line = sine < _SMALLEST_SINE
    sine = sine.masked_fill(line, 1)
    from_start = torch.where(line, 1 - t, torch.sin((1 - t) * angle) / sine)
    from_end = torch.where(line, t, torch.sin(t * angle) / sine)
    return from_start.to(cosine.dtype), from_end.to(cosine.dtype)
