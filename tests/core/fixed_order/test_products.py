"""Products in fixed order: right, and the same bits whatever the machine does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numba
import numpy as np
import pytest
import torch

from evomerge_core.fixed_order.products import product
from evomerge_core.fixed_order.tiles import make_tile

SHAPES = [(1, 1, 1), (5, 7, 33), (64, 100, 576), (9, 50, 1536), (3, 24, 2500), (130, 31, 16)]


def matrices(rows: int, columns: int, depth: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(rows + columns + depth)
    return torch.randn(rows, depth), torch.randn(columns, depth)


@pytest.mark.parametrize("shape", SHAPES)
def test_products_are_within_a_float32_sums_error_of_the_float64_ones(shape: tuple[int, int, int]) -> None:
    left, right = matrices(*shape)
    bound = (left.abs().double() @ right.abs().double().t()) * max(1, shape[2]) * 2**-24
    assert ((product(left, right) - left.double() @ right.double().t()).abs() <= bound + 1e-30).all()


def nearest_float32(exact: Fraction) -> Fraction:
    """The float32 nearest to a number, ties to even; of no size near the type's ends."""
    if exact == 0:
        return exact
    step = Fraction(2) ** (int(np.frexp(float(exact))[1]) - 24)
    while abs(exact) >= step * 2**24:
        step *= 2
    while abs(exact) < step * 2**23:
        step /= 2
    return round(exact / step) * step


def summed_by_hand(left: np.ndarray, right: np.ndarray) -> Fraction:
    """Sixteen chains of fused multiply-adds, added upper half to lower half, then what is left over, in exact rationals."""
    chains = [Fraction(0)] * 16
    whole = len(left) // 16 * 16
    for k in range(whole):
        chains[k % 16] = nearest_float32(chains[k % 16] + Fraction(float(left[k])) * Fraction(float(right[k])))
    while len(chains) > 1:
        half = len(chains) // 2
        chains = [nearest_float32(low + high) for low, high in zip(chains[:half], chains[half:], strict=True)]
    total = chains[0]
    for k in range(whole, len(left)):
        total = nearest_float32(total + Fraction(float(left[k])) * Fraction(float(right[k])))
    return total


@pytest.mark.parametrize("depth", [7, 16, 70, 133])
def test_the_order_of_a_sum_is_the_one_that_is_documented(depth: int) -> None:
    left, right = matrices(5, 8, depth)
    found = product(left, right)
    for i in range(5):
        for j in range(8):
            assert Fraction(float(found[i, j])) == summed_by_hand(left[i].numpy(), right[j].numpy())


@pytest.mark.parametrize("shape", [(64, 100, 576), (9, 50, 1536)])
def test_a_rows_bits_depend_neither_on_the_other_rows_nor_on_the_other_columns(shape: tuple[int, int, int]) -> None:
    left, right = matrices(*shape)
    whole = product(left, right)
    for count in (1, 2, 3, 7):
        assert torch.equal(product(left[-count:], right), whole[-count:])
        assert torch.equal(product(left, right[count : 3 * count]), whole[:, count : 3 * count])


@pytest.mark.parametrize("block", [(1, 1), (2, 3), (4, 6), (3, 5)])
def test_blocks_of_any_size_give_the_same_bits(block: tuple[int, int]) -> None:
    """Processors with many registers take larger blocks than others."""
    tile: Any = make_tile(*block)

    @numba.njit
    def fill(left: int, right: int, depth: int, out: int, columns: int) -> None:
        tile(left, depth, right, depth, depth, out, columns, 0)

    left, right = matrices(*block, 133)
    out = torch.empty(block)
    fill(left.data_ptr(), right.data_ptr(), 133, out.data_ptr(), block[1])
    assert torch.equal(out, product(left, right))


PRINT_PRODUCTS = """
import hashlib, json, torch
from evomerge_core.fixed_order.products import product
found = []
for rows, columns, depth in {shapes}:
    torch.manual_seed(rows + columns + depth)
    left, right = torch.randn(rows, depth), torch.randn(columns, depth)
    found.append(hashlib.sha256(product(left, right).numpy().tobytes()).hexdigest())
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    "limits",
    [
        {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+sse4.2,+popcnt,+f16c"},
        {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse4.2,+popcnt"},
    ],
    ids=["one thread", "AVX2", "no fused instructions"],
)
def test_threads_and_instruction_sets_leave_every_bit_as_it_is(limits: dict[str, str], tmp_path: os.PathLike[str]) -> None:
    shapes = [(64, 100, 576), (9, 50, 1536), (130, 31, 16)]
    ours = []
    for shape in shapes:
        left, right = matrices(*shape)
        ours.append(hashlib.sha256(product(left, right).numpy().tobytes()).hexdigest())
    done = subprocess.run(
        [sys.executable, "-c", PRINT_PRODUCTS.format(shapes=shapes)],
        env={**os.environ, **limits, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ours


@pytest.mark.parametrize("bad", [torch.zeros(2, 3, dtype=torch.bfloat16), torch.zeros(2, 3, device="meta")])
def test_other_dtypes_and_devices_are_refused(bad: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="float32 on the CPU"):
        product(bad, torch.zeros(4, 3))
