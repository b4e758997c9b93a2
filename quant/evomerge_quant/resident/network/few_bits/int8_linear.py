"""A linear layer in 8 bits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evomerge_quant.resident.network.few_bits import int8, int8_on_card
from evomerge_quant.resident.network.few_bits.linear import FewBitLinear


class Int8Linear(FewBitLinear):
    """Codes in blocks of 32 along the input, a float16 scale each: 8.5 bits a weight. Cards unpack a layer for each product."""

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
        codes = torch.zeros(self.shape, dtype=torch.int8, device=device)
        self.weight = nn.Parameter(codes, requires_grad=False)
        self.scales = torch.zeros(self.out_features, int8.block_count(self.in_features), dtype=torch.float16, device=device)

    def _quantize(self, weight: Tensor, values: Tensor | None) -> bool:
        return int8.quantize(weight, self.weight.data, self.scales, values)

    def _dequantize(self) -> Tensor:
        return int8.dequantize(self.weight.data, self.scales)

    def _multiply(self, rows: Tensor, out: Tensor) -> None:
        int8.multiply(rows, self.weight.data, self.scales, out)

    def _take_on_card(self, weight: Tensor) -> bool:
        return int8_on_card.quantize(weight, self.weight.data, self.scales)

    def _multiply_on_card(self, x: Tensor) -> Tensor:
        values = int8_on_card.dequantize(self.weight.data, self.scales, self.compute_dtype)
        return nn.functional.linear(x, values, self.bias)
