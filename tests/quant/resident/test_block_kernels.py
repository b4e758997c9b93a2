"""The loops for 8 and 5 bits, and the same in plain torch for cards, write gguf-py's Q8_0 and Q5_0, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, dequantize, quantize
from torch import Tensor

from evomerge_quant.resident.network.few_bits.block_linear import BlockLinear, BlockScheme, Int5Linear, Int8Linear

# Each with the GGUF type that is its oracle, and the steps from 0 to the number that is furthest from it.
KINDS: dict[str, tuple[type[BlockLinear], GGMLQuantizationType, int]] = {
    "int8": (Int8Linear, GGMLQuantizationType.Q8_0, 127),
    "int5": (Int5Linear, GGMLQuantizationType.Q5_0, 16),
}
# GGUF's scale of a block comes first, as a float16.
SCALE_BYTES = 2

Quantise = Callable[[Tensor, Tensor, Tensor], bool]


@dataclass(frozen=True)
class Way:
    """A scheme, one of its two ways of quantising, and what GGUF says of it."""

    scheme: BlockScheme
    quantise: Quantise
    gguf_type: GGMLQuantizationType
    steps: int


def ways() -> Iterator[Any]:
    for name, (layer, *oracle) in KINDS.items():
        scheme = layer.scheme
        yield pytest.param(Way(scheme, scheme.quantize, *oracle), id=f"{name}-compiled")
        yield pytest.param(Way(scheme, scheme.quantize_on_card, *oracle), id=f"{name}-torch")


BOTH_WAYS = pytest.mark.parametrize("way", list(ways()))
ALL_KINDS = pytest.mark.parametrize("kind", KINDS)


def ggufs(weight: Tensor, gguf_type: GGMLQuantizationType) -> tuple[Tensor, Tensor, Tensor]:
    """gguf-py's codes (bytes of whole blocks), scales and values; rows that are no whole blocks have zeros after them."""
    rows, width = weight.shape
    padded = np.zeros((rows, -(-width // 32) * 32), np.float32)
    padded[:, :width] = weight.float().numpy()
    stored = quantize(padded, gguf_type)
    blocks = stored.reshape(rows, padded.shape[1] // 32, -1)
    scales = np.ascontiguousarray(blocks[:, :, :SCALE_BYTES]).view(np.float16)[:, :, 0]
    codes = np.ascontiguousarray(blocks[:, :, SCALE_BYTES:]).reshape(rows, -1)
    values = np.ascontiguousarray(dequantize(stored, gguf_type)[:, :width])
    return torch.from_numpy(codes), torch.from_numpy(scales), torch.from_numpy(values)


def room(weight: Tensor, scheme: BlockScheme) -> tuple[Tensor, Tensor]:
    rows, width = weight.shape
    codes = torch.full((rows, scheme.row_entries(width)), 99, dtype=scheme.dtype)
    return codes, torch.full((rows, -(-width // 32)), 9.0, dtype=torch.float16)


def assert_same_as_gguf(weight: Tensor, way: Way) -> None:
    scheme, shape = way.scheme, (weight.shape[0], weight.shape[1])
    codes, scales = room(weight, scheme)
    assert way.quantise(weight, codes, scales)
    expected_codes, expected_scales, values = ggufs(weight, way.gguf_type)
    assert torch.equal(codes.view(torch.uint8), expected_codes[:, : codes.shape[1]])
    assert torch.equal(scales.view(torch.int16), expected_scales.view(torch.int16))
    assert torch.equal(scheme.dequantize(codes, scales, shape), values)
    assert torch.equal(scheme.dequantize_on_card(codes, scales, shape, torch.float32), values)
    assert torch.equal(scheme.dequantize_on_card(codes, scales, shape, torch.bfloat16), values.bfloat16())


@BOTH_WAYS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float16])
@pytest.mark.parametrize("shape", [(1, 32), (1, 1), (7, 1), (5, 31), (4, 33), (3, 100), (64, 96), (48, 2500), (300, 64)])
def test_random_weights_of_any_width(way: Way, dtype: torch.dtype, shape: tuple[int, int]) -> None:
    torch.manual_seed(shape[1])
    assert_same_as_gguf(torch.randn(shape).to(dtype), way)


@BOTH_WAYS
def test_a_transposed_weight(way: Way) -> None:
    torch.manual_seed(1)
    assert_same_as_gguf(torch.randn(90, 50).t(), way)


@BOTH_WAYS
@pytest.mark.parametrize("scale", [1.0, 0.37, 1e-3, 6e-5, 6e-8, 3e-8, 1e-20, 1e-35, 6e4])
def test_halves_and_what_lies_beside_them(way: Way, scale: float) -> None:
    """Halves are between two codes, and scales that float16 can't tell from 0 are stored as 0."""
    halves = torch.arange(0.5 - way.steps, way.steps)
    rows = torch.cat([halves, halves.nextafter(torch.tensor(1e9)), halves.nextafter(torch.tensor(-1e9))])
    blocks = torch.cat([rows.reshape(-1, 2), torch.tensor([[float(way.steps), -0.0]]).repeat(len(rows) // 2, 1)], dim=1)
    assert_same_as_gguf(blocks * scale, way)


@BOTH_WAYS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_zeros(way: Way, dtype: torch.dtype) -> None:
    assert_same_as_gguf(torch.zeros(3, 70, dtype=dtype), way)
    assert_same_as_gguf(-torch.zeros(3, 70, dtype=dtype), way)


@BOTH_WAYS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_blocks_of_the_smallest_numbers_stand_for_zeros(way: Way, dtype: torch.dtype) -> None:
    weight = torch.full((2, 40), 1e-40).to(dtype)
    codes, scales = room(weight, way.scheme)
    assert way.quantise(weight, codes, scales)
    assert not way.scheme.dequantize(codes, scales, (2, 40)).any()


@BOTH_WAYS
def test_every_bfloat16_number_that_has_a_scale(way: Way) -> None:
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)
    held = every[every.float().abs() < 1e6]
    torch.manual_seed(3)
    held = held[torch.randperm(held.numel())]
    assert_same_as_gguf(held[: held.numel() // 100 * 100].reshape(-1, 100), way)


@ALL_KINDS
def test_values_are_written_with_the_codes(kind: str) -> None:
    layer, gguf_type, _ = KINDS[kind]
    torch.manual_seed(4)
    weight = torch.randn(20, 77).bfloat16()
    values = torch.full((20, 77), -9.0)
    assert layer.scheme.quantize(weight, *room(weight, layer.scheme), values)
    assert torch.equal(values, ggufs(weight, gguf_type)[2])


@BOTH_WAYS
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float16])
@pytest.mark.parametrize("place", [0, 33, -1])
def test_a_number_that_is_none_is_reported(way: Way, bad: float, dtype: torch.dtype, place: int) -> None:
    weight = torch.ones(3, 50, dtype=dtype)
    weight.view(-1)[place] = bad
    assert not way.quantise(weight, *room(weight, way.scheme))


@BOTH_WAYS
def test_a_weight_whose_scale_float16_cant_hold_is_reported(way: Way) -> None:
    """The largest is 65,504; what is above 65,520 is rounded to Inf."""
    weight = torch.ones(2, 50)
    weight[1, 40] = way.steps * 65_519
    assert way.quantise(weight, *room(weight, way.scheme))
    weight[1, 40] = way.steps * 65_521
    assert not way.quantise(weight, *room(weight, way.scheme))


@ALL_KINDS
def test_other_dtypes_are_refused(kind: str) -> None:
    scheme = KINDS[kind][0].scheme
    weight = torch.ones(2, 64, dtype=torch.float64)
    with pytest.raises(ValueError, match="float64"):
        scheme.quantize(weight, *room(weight, scheme), None)


@ALL_KINDS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(64, 96), (7, 100)])
def test_the_way_of_cards_gives_the_products_of_what_ggufs_codes_stand_for(
    kind: str, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    """Run here on the CPU: the layer takes one weight after the other, and unpacks it for each product."""
    make, gguf_type, _ = KINDS[kind]
    layer = make(torch.nn.Linear(shape[1], shape[0]), dtype)
    layer.place(torch.device("cpu"), unpacked=False)
    bias = torch.randn(shape[0]).to(dtype)
    layer.bias = torch.nn.Parameter(bias, requires_grad=False)
    x = torch.randn(2, 5, shape[1]).to(dtype)
    for seed in (1, 2):
        torch.manual_seed(seed)
        weight = torch.randn(shape).bfloat16()
        assert layer._take_on_card(weight)
        values = ggufs(weight, gguf_type)[2].to(dtype)
        assert torch.equal(layer._multiply_on_card(x), torch.nn.functional.linear(x, values, bias))
