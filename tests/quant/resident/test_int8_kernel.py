"""The 8-bit loops, and the same in plain torch for cards, write GGUF's Q8_0: gguf-py's codes and scales, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, dequantize, quantize
from torch import Tensor

from evomerge_quant.resident.network.few_bits import int8, int8_on_card
from evomerge_quant.resident.network.few_bits.int8_linear import Int8Linear

Q8_0 = GGMLQuantizationType.Q8_0
Q8_0_BYTES = 34  # of a block: a float16 and 32 codes

Quantise = Callable[[Tensor, Tensor, Tensor], bool]
BOTH = pytest.mark.parametrize("quantise", [int8.quantize, int8_on_card.quantize], ids=["compiled", "torch"])


def ggufs(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """gguf-py's codes, scales and values; rows that are no whole blocks are given to it with zeros after them."""
    rows, width = weight.shape
    padded = np.zeros((rows, -(-width // 32) * 32), np.float32)
    padded[:, :width] = weight.float().numpy()
    stored = quantize(padded, Q8_0)
    blocks = stored.reshape(rows, -1, Q8_0_BYTES)
    scales = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16)[:, :, 0]
    codes = np.ascontiguousarray(blocks[:, :, 2:]).view(np.int8).reshape(rows, -1)[:, :width]
    values = dequantize(stored, Q8_0)[:, :width]
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in (codes, scales, values))  # type: ignore[return-value]


def room(weight: Tensor) -> tuple[Tensor, Tensor]:
    blocks = -(-weight.shape[1] // 32)
    return torch.full(weight.shape, 99, dtype=torch.int8), torch.full((weight.shape[0], blocks), 9.0, dtype=torch.float16)


def assert_same_as_gguf(weight: Tensor, quantise: Quantise) -> None:
    codes, scales = room(weight)
    assert quantise(weight, codes, scales)
    expected_codes, expected_scales, values = ggufs(weight)
    assert torch.equal(codes, expected_codes)
    assert torch.equal(scales.view(torch.int16), expected_scales.view(torch.int16))
    assert torch.equal(int8.dequantize(codes, scales), values)
    assert torch.equal(int8_on_card.dequantize(codes, scales, torch.float32), values)
    assert torch.equal(int8_on_card.dequantize(codes, scales, torch.bfloat16), values.bfloat16())


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float16])
@pytest.mark.parametrize("shape", [(1, 32), (1, 1), (7, 1), (5, 31), (4, 33), (3, 100), (64, 96), (48, 2500), (300, 64)])
def test_random_weights_of_any_width(quantise: Quantise, dtype: torch.dtype, shape: tuple[int, int]) -> None:
    torch.manual_seed(shape[1])
    assert_same_as_gguf(torch.randn(shape).to(dtype), quantise)


@BOTH
def test_a_transposed_weight(quantise: Quantise) -> None:
    torch.manual_seed(1)
    assert_same_as_gguf(torch.randn(90, 50).t(), quantise)


@BOTH
@pytest.mark.parametrize("scale", [1.0, 0.37, 1e-3, 6e-5, 6e-8, 3e-8, 1e-20, 1e-35, 6e4])
def test_halves_and_what_lies_beside_them(quantise: Quantise, scale: float) -> None:
    """Halves are rounded away from 0, and scales that float16 can't tell from 0 are stored as 0."""
    halves = torch.arange(-126.5, 127.5)
    rows = torch.cat([halves, halves.nextafter(torch.tensor(1e9)), halves.nextafter(torch.tensor(-1e9))])
    blocks = torch.cat([rows.reshape(-1, 2), torch.tensor([[127.0, -0.0]]).repeat(len(rows) // 2, 1)], dim=1)
    assert_same_as_gguf(blocks * scale, quantise)


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_zeros(quantise: Quantise, dtype: torch.dtype) -> None:
    assert_same_as_gguf(torch.zeros(3, 70, dtype=dtype), quantise)
    assert_same_as_gguf(-torch.zeros(3, 70, dtype=dtype), quantise)


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_blocks_of_the_smallest_numbers_stand_for_zeros(quantise: Quantise, dtype: torch.dtype) -> None:
    weight = torch.full((2, 40), 1e-40).to(dtype)
    codes, scales = room(weight)
    assert quantise(weight, codes, scales)
    assert not int8.dequantize(codes, scales).any()
    assert not codes.any()


@BOTH
def test_every_bfloat16_number_that_has_a_scale(quantise: Quantise) -> None:
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)
    held = every[every.float().abs() < 8.3e6]
    torch.manual_seed(3)
    held = held[torch.randperm(held.numel())]
    assert_same_as_gguf(held[: held.numel() // 100 * 100].reshape(-1, 100), quantise)


def test_values_are_written_with_the_codes() -> None:
    torch.manual_seed(4)
    weight = torch.randn(20, 77).bfloat16()
    codes, scales = room(weight)
    values = torch.full((20, 77), -9.0)
    assert int8.quantize(weight, codes, scales, values)
    assert torch.equal(values, ggufs(weight)[2])


@BOTH
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float16])
@pytest.mark.parametrize("place", [0, 33, -1])
def test_a_number_that_is_none_is_reported(quantise: Quantise, bad: float, dtype: torch.dtype, place: int) -> None:
    weight = torch.ones(3, 50, dtype=dtype)
    weight.view(-1)[place] = bad
    assert not quantise(weight, *room(weight))


@BOTH
def test_a_weight_whose_scale_float16_cant_hold_is_reported(quantise: Quantise) -> None:
    """The largest is 65,504; what is above 65,520 is rounded to Inf."""
    weight = torch.ones(2, 50)
    weight[1, 40] = 127 * 65_519
    assert quantise(weight, *room(weight))
    weight[1, 40] = 127 * 65_521
    assert not quantise(weight, *room(weight))


def test_other_dtypes_are_refused() -> None:
    weight = torch.ones(2, 64, dtype=torch.float64)
    with pytest.raises(ValueError, match="float64"):
        int8.quantize(weight, *room(weight))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(64, 96), (7, 100)])
def test_the_way_of_cards_gives_the_products_of_what_ggufs_codes_stand_for(dtype: torch.dtype, shape: tuple[int, int]) -> None:
    """Run here on the CPU: the layer takes one weight after the other, and unpacks it for each product."""
    layer = Int8Linear(torch.nn.Linear(shape[1], shape[0]), dtype)
    layer.place(torch.device("cpu"), unpacked=False)
    bias = torch.randn(shape[0]).to(dtype)
    layer.bias = torch.nn.Parameter(bias, requires_grad=False)
    x = torch.randn(2, 5, shape[1]).to(dtype)
    for seed in (1, 2):
        torch.manual_seed(seed)
        weight = torch.randn(shape).bfloat16()
        assert layer._take_on_card(weight)
        values = ggufs(weight)[2].to(dtype)
        assert torch.equal(layer._multiply_on_card(x), torch.nn.functional.linear(x, values, bias))
