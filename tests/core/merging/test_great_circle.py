"""SLERP's loops against the formula in float64, whatever the number of threads, and with every t of a search."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from evomerge_core.merging.compiled.blocks import for_blocks
from evomerge_core.merging.compiled.great_circle import dot_blocks, mix_blocks
from evomerge_core.merging.compiled.kernels import BLOCK
from evomerge_core.merging.compiled.operands import records, whole
from evomerge_core.methods.slerp import cosine, great_circle_weights

SIZE = 3 * BLOCK + 777


def ends(seed: int, apart: float, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(SIZE, generator=generator)
    return start.to(dtype), (start + apart * torch.randn(SIZE, generator=generator)).to(dtype)


def on_the_circle(start: Tensor, end: Tensor, t: float) -> NDArray[np.float64]:
    a, b = start.double().numpy(), end.double().numpy()
    angle = math.acos(float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)))
    made: NDArray[np.float64] = (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)
    return made


def measured(start: Tensor, end: Tensor) -> float:
    sums = np.concatenate(for_blocks(dot_blocks, SIZE, records([whole(start), whole(end)])))
    return cosine(*(math.fsum(column) for column in sums.T))


def mixed(start: Tensor, end: Tensor, t: float) -> Tensor:
    weights = great_circle_weights(measured(start, end), t)
    operands = [whole(one).with_fields(factor=weight) for one, weight in zip((start, end), weights, strict=True)]
    out = torch.empty(SIZE)
    for_blocks(mix_blocks, SIZE, records(operands), records([whole(out)]))
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 1.4])
def test_the_child_lies_on_the_great_circle(dtype: torch.dtype, t: float) -> None:
    start, end = ends(1, 2.0, dtype)
    assert np.allclose(mixed(start, end, t).numpy(), on_the_circle(start, end, t), rtol=1e-6, atol=1e-6)


def test_nearly_parallel_ends_are_joined_by_a_line() -> None:
    start, end = ends(2, 1e-3)
    line = 0.75 * start.double() + 0.25 * end.double()
    assert np.allclose(mixed(start, end, 0.25).numpy(), line.numpy(), rtol=1e-6, atol=1e-6)


def test_a_zero_end_has_no_direction() -> None:
    start, end = torch.zeros(SIZE), ends(3, 1.0)[1]
    assert measured(start, end) == 0.0
    assert torch.isfinite(mixed(start, end, 0.5)).all()


def test_threads_change_no_bit() -> None:
    start, end = ends(4, 1.5)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append((measured(start, end), mixed(start, end, 0.6)))
    finally:
        torch.set_num_threads(before)
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])
