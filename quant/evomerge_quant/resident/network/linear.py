"""A bitsandbytes NF4 linear layer whose weights are swapped, candidate after candidate."""

from __future__ import annotations

import bitsandbytes.functional as bnb
import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from torch import Tensor, nn

from evomerge_core.fixed_order.products import product
from evomerge_quant.resident.network import nf4
from evomerge_quant.resident.network.fixed_linear import with_bias


class Nf4Linear(Linear4bit):  # type: ignore[misc]
    """NF4 in blocks of 64, scales not quantised again.

    On the CPU the layer may keep, beside codes and scales, the values that they stand for (`dense`), instead of unpacking the
    codes for every batch; the products are the same. bitsandbytes' own products are left to cards.
    """

    def __init__(self, like: nn.Linear, compute_dtype: torch.dtype) -> None:
        """A layer of the shape of `like`, on the meta device until `place`."""
        super().__init__(
            like.in_features,
            like.out_features,
            bias=like.bias is not None,
            compute_dtype=compute_dtype,
            compress_statistics=False,
            quant_type="nf4",
            device="meta",
        )
        self.dense: Tensor | None = None

    def place(self, device: torch.device, *, unpacked: bool) -> None:
        """Makes room for the weights on `device`; `unpacked` (CPU only) keeps their values too."""
        count = self.in_features * self.out_features
        codes = torch.zeros(nf4.code_bytes(count), 1, dtype=torch.uint8, device=device)
        state = bnb.QuantState(
            absmax=torch.zeros(nf4.block_count(count), device=device),
            shape=torch.Size((self.out_features, self.in_features)),
            code=bnb.get_4bit_type("nf4", device=device),
            blocksize=nf4.BLOCK,
            quant_type="nf4",
            dtype=self.compute_dtype,
        )
        self.weight = Params4bit(
            codes, requires_grad=False, compress_statistics=False, quant_type="nf4", module=self, bnb_quantized=True
        )
        self._swap(codes, state)
        if unpacked:
            self.dense = torch.zeros(self.out_features, self.in_features, dtype=self.compute_dtype, device=device)

    def take(self, weight: Tensor) -> bool:
        """Quantises `weight` [out, in] in place of the last one; False when it holds NaN or Inf."""
        if self.weight.device.type == "cpu":
            return self._take_on_cpu(weight)
        return self._take_with_bitsandbytes(weight.to(self.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.device.type != "cpu":
            out: Tensor = super().forward(x)
            return out
        if self.compute_dtype != torch.float32:
            return nn.functional.linear(x, self._values(), self.bias)
        if self.dense is not None:
            return with_bias(product(x, self.dense), self.bias)
        return with_bias(nf4.multiply(x, self.weight.data, self.quant_state.absmax, self._shape), self.bias)

    @property
    def _shape(self) -> tuple[int, int]:
        return self.out_features, self.in_features

    def _values(self) -> Tensor:
        """What the codes stand for, in the compute dtype."""
        if self.dense is not None:
            return self.dense
        return nf4.dequantize(self.weight.data, self.quant_state.absmax, self._shape).to(self.compute_dtype)

    def _take_on_cpu(self, weight: Tensor) -> bool:
        codes, absmax = self.weight.data, self.quant_state.absmax
        if self.dense is None or self.dense.dtype == torch.float32:
            return nf4.quantize(weight, codes, absmax, self.dense)
        values = torch.empty(self.dense.shape)
        finite = nf4.quantize(weight, codes, absmax, values)
        self.dense.copy_(values)
        return finite

    def _take_with_bitsandbytes(self, weight: Tensor) -> bool:
        self._swap(*bnb.quantize_4bit(weight, blocksize=nf4.BLOCK, quant_type="nf4"))
        return bool(torch.isfinite(weight).all())

    def _swap(self, codes: Tensor, state: bnb.QuantState) -> None:
        self.weight.data = codes
        self.weight.quant_state = state
        self.quant_state = state
