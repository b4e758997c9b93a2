"""A linear layer whose weights are held in few bits and swapped, candidate after candidate: what all such layers share."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from evomerge_core.fixed_order.products import product, use_torch_threads
from evomerge_quant.resident.network.fixed_linear import with_bias


class FewBitLinear(nn.Linear, ABC):
    """Codes, and scales that they are multiplied by; on the meta device until `place`.

    On the CPU the layer may keep, beside them, the values that they stand for (`dense`), instead of unpacking the codes for
    every batch; the products are the same, and those in float32 are added up in a fixed order.
    """

    compute_dtype: torch.dtype
    dense: Tensor | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """[out, in], as the weight has it."""
        return self.out_features, self.in_features

    @property
    @abstractmethod
    def code_bytes(self) -> int:
        """Bytes of codes and scales."""

    def place(self, device: torch.device, *, unpacked: bool) -> None:
        """Makes room for the weights on `device`; `unpacked` (CPU only) keeps their values too."""
        self._place_codes(device)
        if unpacked:
            self.dense = torch.zeros(self.shape, dtype=self.compute_dtype, device=device)

    def take(self, weight: Tensor) -> Tensor | bool:
        """Quantises `weight` [out, in] in place of the last one; False when it holds NaN or Inf. On a card that is a number
        there, which nobody has waited for."""
        if self.weight.device.type != "cpu":
            return self._take_on_card(weight)
        if self.dense is None or self.dense.dtype == torch.float32:
            return self._quantize(weight, self.dense)
        values = torch.empty(self.shape)
        finite = self._quantize(weight, values)
        self.dense.copy_(values)
        return finite

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.device.type != "cpu":
            return self._multiply_on_card(x)
        if self.compute_dtype != torch.float32:
            values = self._dequantize().to(self.compute_dtype) if self.dense is None else self.dense
            return nn.functional.linear(x, values, self.bias)
        if self.dense is not None:
            return with_bias(product(x, self.dense), self.bias)
        rows = x.reshape(-1, self.in_features).contiguous()
        out = torch.empty(rows.shape[0], self.out_features)
        use_torch_threads()
        self._multiply(rows, out)
        return with_bias(out.reshape(*x.shape[:-1], self.out_features), self.bias)

    @abstractmethod
    def _place_codes(self, device: torch.device) -> None:
        """Makes room for codes and scales."""

    @abstractmethod
    def _quantize(self, weight: Tensor, values: Tensor | None) -> bool:
        """Takes a weight on the CPU, and writes what its codes stand for to `values` (float32) where there are some."""

    @abstractmethod
    def _dequantize(self) -> Tensor:
        """What the codes stand for, on the CPU in float32."""

    @abstractmethod
    def _multiply(self, rows: Tensor, out: Tensor) -> None:
        """rows [rows, in] times the weight to `out` [rows, out], in float32 on the CPU, without the bias."""

    @abstractmethod
    def _take_on_card(self, weight: Tensor) -> Tensor:
        """Carries a weight onto the card part by part, and takes it there."""

    @abstractmethod
    def _multiply_on_card(self, x: Tensor) -> Tensor:
        """The layer's output there, bias included."""
