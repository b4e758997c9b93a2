"""Linear layers in 5 and 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from evomerge_quant.resident.network.carry import row_parts
from evomerge_quant.resident.network.few_bits import int5, int5_on_card, int8, int8_on_card
from evomerge_quant.resident.network.few_bits.blocks import block_count
from evomerge_quant.resident.network.few_bits.linear import FewBitLinear


@dataclass(frozen=True)
class BlockScheme:
    """How blocks are coded: the codes' dtype, how many entries a row of so many weights takes, and the loops."""

    dtype: torch.dtype
    row_entries: Callable[[int], int]
    quantize: Callable[[Tensor, Tensor, Tensor, Tensor | None], bool]
    dequantize: Callable[[Tensor, Tensor, tuple[int, int]], Tensor]
    multiply: Callable[[Tensor, Tensor, Tensor, Tensor], None]
    quantize_on_card: Callable[[Tensor, Tensor, Tensor], Tensor]
    dequantize_on_card: Callable[[Tensor, Tensor, tuple[int, int], torch.dtype], Tensor]


class BlockLinear(FewBitLinear):
    """Codes in blocks of 32 along the input, a float16 scale each. Cards unpack a layer for each product."""

    scheme: ClassVar[BlockScheme]
    scales: Tensor

    def __init__(self, like: nn.Linear, compute_dtype: torch.dtype) -> None:
        """A layer of the shape of `like`."""
        super().__init__(like.in_features, like.out_features, bias=like.bias is not None, device="meta")
        self.compute_dtype = compute_dtype
        self._place_codes(torch.device("meta"))

    @property
    def code_bytes(self) -> int:
        """Bytes of codes and scales."""
        return self.weight.nbytes + self.scales.nbytes

    def _place_codes(self, device: torch.device) -> None:
        entries, blocks = self.scheme.row_entries(self.in_features), block_count(self.in_features)
        codes = torch.zeros(self.out_features, entries, dtype=self.scheme.dtype, device=device)
        self.weight = nn.Parameter(codes, requires_grad=False)
        self.scales = torch.zeros(self.out_features, blocks, dtype=torch.float16, device=device)

    def _quantize(self, weight: Tensor, values: Tensor | None) -> bool:
        return self.scheme.quantize(weight, self.weight.data, self.scales, values)

    def _dequantize(self) -> Tensor:
        return self.scheme.dequantize(self.weight.data, self.scales, self.shape)

    def _multiply(self, rows: Tensor, out: Tensor) -> None:
        self.scheme.multiply(rows, self.weight.data, self.scales, out)

    def _take_on_card(self, weight: Tensor) -> Tensor:
        finite = []
        for first, rows in row_parts(weight, self.weight.device):
            some = slice(first, first + len(rows))
            finite.append(self.scheme.quantize_on_card(rows, self.weight.data[some], self.scales[some]))
        return torch.stack(finite).all()

    def _multiply_on_card(self, x: Tensor) -> Tensor:
        values = self.scheme.dequantize_on_card(self.weight.data, self.scales, self.shape, self.compute_dtype)
        return nn.functional.linear(x, values, self.bias)


class Int8Linear(BlockLinear):
    """GGUF's Q8_0: 8.5 bits a weight."""

    scheme = BlockScheme(
        torch.int8,
        lambda width: width,
        int8.quantize,
        int8.dequantize,
        int8.multiply,
        int8_on_card.quantize,
        int8_on_card.dequantize,
    )


class Int5Linear(BlockLinear):
    """GGUF's Q5_0: 5.5 bits a weight."""

    scheme = BlockScheme(
        torch.uint8,
        int5.code_bytes,
        int5.quantize,
        int5.dequantize,
        int5.multiply,
        int5_on_card.quantize,
        int5_on_card.dequantize,
    )
