"""The compiled loops against numpy formulas, over several blocks and odd ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from evomerge_core.merging.compiled.blocks import for_blocks
from evomerge_core.merging.compiled.kernels import BLOCK, KEEP_RANDOM, merge_blocks
from evomerge_core.merging.compiled.magnitudes import coarse_counts, threshold
from evomerge_core.merging.compiled.operands import NOTHING, Operand, low_rank, records, whole
from evomerge_core.merging.compiled.task_vector import TaskVector, VectorFacts
from evomerge_core.methods.parts.random_field import uniform_field
from evomerge_core.sources.adapter import LowRank

SIZE = 5 * BLOCK + 1234
Floats = NDArray[np.float32]


def normal(seed: int, size: int = SIZE) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def weighted(operand: Operand, weight: float = 1.0, **fields: float) -> Operand:
    return Operand({**operand.fields, "weight": weight, "factor": weight, **fields}, operand.tensors)


def merged(
    base: Operand,
    operands: list[Operand],
    size: int = SIZE,
    dtype: torch.dtype = torch.float32,
    elect: bool = False,
    normalize: bool = False,
    divisor: float = 1.0,
    scale: float = 1.0,
) -> Tensor:
    out = torch.empty(size, dtype=dtype)
    numbers = (elect, normalize, np.float32(divisor), np.float32(scale))
    for_blocks(merge_blocks, size, records([base]), records(operands), *numbers, records([whole(out)]))
    return out


def elected(base: Floats, deltas: list[Floats], weights: list[float], normalize: bool) -> Floats:
    """TIES' merge in float64: entries of the sum's sign, divided by their weights' sum."""
    stack = np.stack([delta.astype(np.float64) * weight for delta, weight in zip(deltas, weights, strict=True)])
    sign = np.where(stack.sum(axis=0) >= 0, 1.0, -1.0)
    agrees = np.sign(stack) == sign
    total = (stack * agrees).sum(axis=0)
    shares = (np.array(weights)[:, None] * agrees).sum(axis=0)
    return (base + total / np.where(shares == 0, 1.0, shares) if normalize else base + total).astype(np.float32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float16])
def test_a_sum_of_task_vectors_in_every_stored_dtype(dtype: torch.dtype) -> None:
    base, one, two = (normal(seed).to(dtype) for seed in range(3))
    b, x, y = (tensor.float().numpy() for tensor in (base, one, two))
    got = merged(whole(base), [weighted(whole(one), 0.7), weighted(whole(two), -0.4)], divisor=0.3, scale=0.5)
    expected = b + 0.5 * ((x - b) * np.float32(0.7) + (y - b) * np.float32(-0.4)) / np.float32(0.3)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalize", [False, True])
def test_signs_are_elected_by_the_weighted_sum(normalize: bool) -> None:
    base, *vectors = (normal(seed) for seed in range(4))
    # Entries of 0 agree with no sign, and where all are 0 nothing is added.
    vectors = [torch.where(normal(seed + 9) > 0.5, 0.0, vector) for seed, vector in enumerate(vectors)]
    weights = [0.9, -0.3, 0.5]
    operands = [weighted(whole(base + vector), weight) for vector, weight in zip(vectors, weights, strict=True)]
    got = merged(whole(base), operands, elect=True, normalize=normalize)
    deltas = [((base + vector) - base).numpy() for vector in vectors]
    np.testing.assert_allclose(got.numpy(), elected(base.numpy(), deltas, weights, normalize), rtol=1e-5, atol=1e-5)


def test_a_low_rank_task_vector_is_the_product_of_its_factors() -> None:
    rows, width, rank = 210, 388, 7
    up, down = normal(0, rows * rank).reshape(rows, rank), normal(1, rank * width).reshape(rank, width)
    got = merged(NOTHING, [weighted(low_rank(LowRank(up, down, 0.5)))], rows * width)
    product = 0.5 * up.double().numpy() @ down.double().numpy()
    np.testing.assert_allclose(got.reshape(rows, width).numpy(), product, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("density", [0.0, 2.0**-24, 0.3, 0.5 + 2.0**-24, 0.9999])
def test_the_random_mask_is_the_field_of_the_key(density: float) -> None:
    key = 0xFEDC_BA98_7654_3210
    ones = torch.ones(SIZE)
    fields = {"key_low": key & 0xFFFFFFFF, "key_high": key >> 32, "keep_below": int(np.ceil(density * 2**24))}
    got = merged(NOTHING, [weighted(whole(ones), keep=KEEP_RANDOM, **fields)])
    assert torch.equal(got.bool(), uniform_field(key, (SIZE,)) < density)


@pytest.mark.parametrize("k", [0, 1, 2, 777, SIZE // 3, SIZE - 1, SIZE])
@pytest.mark.parametrize("ties", ["none", "many", "ragged", "all"])
def test_the_threshold_is_that_of_a_stable_sort(k: int, ties: str) -> None:
    whole_numbers = (normal(3) * 4).round()
    vector = {
        "none": normal(3),
        "many": whole_numbers,
        "ragged": torch.where(normal(4) > 0, whole_numbers * (1 + 2**-12), whole_numbers * (1 + 2**-20)),
        "all": torch.full((SIZE,), -2.5),
    }[ties]
    base, operand = records([NOTHING]), records([held := whole(vector)])
    found = threshold(SIZE, base, operand, k, coarse_counts(SIZE, base, operand))
    magnitudes = held.tensors[0].abs().numpy()
    order = np.argsort(-magnitudes, kind="stable")[:k]
    bits = magnitudes.view(np.uint32)
    kept = (bits > found.bits) | ((bits == found.bits) & (np.arange(SIZE) <= found.last_index))
    assert np.array_equal(np.flatnonzero(kept), np.sort(order))


def test_thresholds_of_tiny_and_huge_magnitudes() -> None:
    vector = torch.tensor([0.0, -1e-45, 3e38, 1e-40, -0.0, -3e38, torch.inf, 1.0])
    base, operand = records([NOTHING]), records([held := whole(vector)])
    coarse = coarse_counts(8, base, operand)
    order = np.argsort(-held.tensors[0].abs().numpy(), kind="stable")
    for k in range(1, 9):
        found = threshold(8, base, operand, k, coarse)
        assert np.uint32(found.bits).view(np.float32) == abs(vector[order[k - 1]])
        assert found.last_index == order[k - 1]


def test_l1_scale_is_the_ratio_of_the_norms() -> None:
    base, model = normal(0).bfloat16(), normal(1).bfloat16()
    key = 123456789
    fields = {"keep": KEEP_RANDOM, "key_low": key, "key_high": 0, "keep_below": 2**22}
    vector = TaskVector(("w",), SIZE, whole(base), whole(model))
    delta = np.abs(model.double().numpy() - base.double().numpy())
    kept = uniform_field(key, (SIZE,)).numpy() < 0.25
    assert VectorFacts().l1_scale(vector, fields) == pytest.approx(delta.sum() / delta[kept].sum(), rel=1e-6)


@pytest.mark.parametrize("keep_below", [0, 2**23])
def test_norms_too_small_to_divide_by_scale_by_one(keep_below: int) -> None:
    base = normal(0)
    other = base if keep_below else normal(1)
    vector = TaskVector(("w",), SIZE, whole(base), whole(other))
    assert VectorFacts().l1_scale(vector, {"keep": KEEP_RANDOM, "keep_below": keep_below}) == 1.0


@pytest.mark.parametrize(("entry", "expected"), [(0.0, True), (-0.0, True), (1e-45, False), (torch.nan, False)])
def test_a_task_vector_is_zero_where_every_entry_is(entry: float, expected: bool) -> None:
    model = torch.zeros(SIZE)
    model[-3] = entry
    vector = TaskVector(("w",), SIZE, whole(torch.zeros(SIZE)), whole(model))
    assert VectorFacts().is_zero(vector) is expected


def test_rounding_to_bfloat16_is_torchs_for_every_kind_of_number() -> None:
    special = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 1e-45, -1e-40, 3.4e38, -3.4e38])
    halfway = torch.arange(0x3F800000, 0x3F800000 + 0x50000, 0x4000, dtype=torch.int32).view(torch.float32)
    numbers = torch.cat([special, halfway, normal(4)])
    got = merged(NOTHING, [weighted(whole(numbers))], numbers.numel(), torch.bfloat16)
    # A sum starts at 0, and 0 + -0 is 0.
    assert torch.equal(got.view(torch.int16), (numbers + 0.0).bfloat16().view(torch.int16))


def test_nan_stays_nan() -> None:
    numbers = torch.tensor([0x7FC00000, 0x7F800001, 0x7FFFFFFF], dtype=torch.int32).view(torch.float32)
    assert merged(whole(numbers), [], 3, torch.bfloat16).isnan().all()
    assert merged(whole(numbers), [], 3).isnan().all()


def test_stored_bfloat16_is_read_exactly() -> None:
    every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    finite = every[every.isfinite()]
    assert torch.equal(merged(whole(finite), [], finite.numel()), finite.float())
