"""The compiled NF4 pass writes bitsandbytes' bytes."""

from __future__ import annotations

import bitsandbytes.functional as bnb
import pytest
import torch
from torch import Tensor

from evomerge_quant.resident.network.few_bits import nf4


def quantized(weight: Tensor) -> tuple[bool, Tensor, Tensor, Tensor]:
    count = weight.numel()
    codes = torch.full((nf4.code_bytes(count),), 255, dtype=torch.uint8)
    absmax = torch.full((nf4.block_count(count),), -1.0)
    dense = torch.full((count,), -9.0)
    finite = nf4.quantize(weight, codes, absmax, dense)
    return finite, codes, absmax, dense


def assert_same_as_bitsandbytes(weight: Tensor) -> None:
    finite, codes, absmax, dense = quantized(weight)
    expected, state = bnb.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    assert finite
    assert torch.equal(codes, expected.reshape(-1))
    assert torch.equal(absmax.view(torch.int32), state.absmax.view(torch.int32))
    if weight.numel() % 2 == 0:
        state.dtype = torch.float32
        values = bnb.dequantize_4bit(expected, state).reshape(-1)
        assert torch.equal(dense.view(torch.int32), values.view(torch.int32))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float16])
@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 126, 4096, 64 * 131 + 30])
def test_random_weights(dtype: torch.dtype, count: int) -> None:
    torch.manual_seed(count)
    assert_same_as_bitsandbytes(torch.randn(count).to(dtype))


def test_a_matrix_with_rows_that_are_no_whole_blocks() -> None:
    torch.manual_seed(1)
    assert_same_as_bitsandbytes(torch.randn(50, 90).bfloat16())
    assert_same_as_bitsandbytes(torch.randn(90, 50).t())


def test_weights_on_the_thresholds_and_beside_them() -> None:
    levels = bnb.get_4bit_type("nf4", device="cpu")
    middle = (levels[:-1] + levels[1:]) / 2
    up, down = torch.nextafter(middle, torch.tensor(2.0)), torch.nextafter(middle, torch.tensor(-2.0))
    block = torch.cat([middle, up, down, levels, torch.tensor([-0.0, 0.0, 1.0])])
    assert block.numel() == 64
    for scale in (1.0, 0.37, 3e38, 1e-20, 1e-38, 1e-40):
        assert_same_as_bitsandbytes(block * scale)
        assert_same_as_bitsandbytes(torch.cat([block, block[:62]]) * scale)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_zeros_subnormal_and_huge_weights(dtype: torch.dtype) -> None:
    assert_same_as_bitsandbytes(torch.zeros(200, dtype=dtype))
    assert_same_as_bitsandbytes(-torch.zeros(200, dtype=dtype))
    torch.manual_seed(2)
    for scale in (1e-45, 1e-41, 1e-39, 1e-37, 1e37, 3e37):
        assert_same_as_bitsandbytes((torch.randn(64 * 5 + 10) * scale).to(dtype))


def test_every_bfloat16_number() -> None:
    bits = torch.arange(-(2**15), 2**15).to(torch.int16)
    every = bits.view(torch.bfloat16)
    torch.manual_seed(3)
    finite = every[torch.isfinite(every)]
    assert_same_as_bitsandbytes(finite)
    assert_same_as_bitsandbytes(finite[torch.randperm(finite.numel())])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float16])
@pytest.mark.parametrize("place", [0, 77, 129])
def test_a_number_that_is_none_is_reported(bad: float, dtype: torch.dtype, place: int) -> None:
    weight = torch.ones(130, dtype=dtype)
    weight[place] = bad
    assert not quantized(weight)[0]


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        quantized(torch.ones(64, dtype=torch.float64))
