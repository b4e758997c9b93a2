"""A bitsandbytes NF4 linear layer."""

from __future__ import annotations

import bitsandbytes.functional as bnb
import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from torch import Tensor, nn

from evomerge_quant.resident.network.carry import all_finite, row_parts
from evomerge_quant.resident.network.few_bits import nf4
from evomerge_quant.resident.network.few_bits.linear import FewBitLinear


class Nf4Linear(FewBitLinear, Linear4bit):  # type: ignore[misc]
    """NF4 in blocks of 64, scales not quantised again: 4.5 bits a weight. Products on cards are bitsandbytes' own."""

    weight: Params4bit

    def __init__(self, like: nn.Linear, compute_dtype: torch.dtype) -> None:
        """A layer of the shape of `like`."""
        Linear4bit.__init__(
            self,
            like.in_features,
            like.out_features,
            bias=like.bias is not None,
            compute_dtype=compute_dtype,
            compress_statistics=False,
            quant_type="nf4",
            device="meta",
        )
        self.weight.module = None

    @property
    def code_bytes(self) -> int:
        """Bytes of codes and scales."""
        count = self.in_features * self.out_features
        return nf4.code_bytes(count) + 4 * nf4.block_count(count)

    def _place_codes(self, device: torch.device) -> None:
        count = self.in_features * self.out_features
        codes = torch.zeros(nf4.code_bytes(count), 1, dtype=torch.uint8, device=device)
        state = bnb.QuantState(
            absmax=torch.zeros(nf4.block_count(count), device=device),
            shape=torch.Size(self.shape),
            code=bnb.get_4bit_type("nf4", device=device),
            blocksize=nf4.BLOCK,
            quant_type="nf4",
            dtype=self.compute_dtype,
        )
        # Without the module: a layer that its own weight holds would outlive the model until Python looks for circles.
        self.weight = Params4bit(codes, requires_grad=False, compress_statistics=False, quant_type="nf4", bnb_quantized=True)
        self.weight.quant_state = state
        self.quant_state = state

    def _quantize(self, weight: Tensor, values: Tensor | None) -> bool:
        return nf4.quantize(weight, self.weight.data, self.quant_state.absmax, values)

    def _dequantize(self) -> Tensor:
        return nf4.dequantize(self.weight.data, self.quant_state.absmax, self.shape)

    def _multiply(self, rows: Tensor, out: Tensor) -> None:
        nf4.multiply(rows, self.weight.data, self.quant_state.absmax, out)

    def _take_on_card(self, weight: Tensor) -> Tensor:
        codes, absmax = self.weight.data.view(-1), self.quant_state.absmax
        finite = []
        for first, rows in row_parts(weight, self.weight.device):
            start, count = first * self.in_features, rows.numel()
            coded, state = bnb.quantize_4bit(rows, blocksize=nf4.BLOCK, quant_type="nf4")
            codes[start // 2 : start // 2 + nf4.code_bytes(count)].copy_(coded.view(-1))
            absmax[start // nf4.BLOCK : start // nf4.BLOCK + nf4.block_count(count)].copy_(state.absmax)
            finite.append(all_finite(rows))
        return torch.stack(finite).all()

    def _multiply_on_card(self, x: Tensor) -> Tensor:
        out: Tensor = Linear4bit.forward(self, x)
        return out
