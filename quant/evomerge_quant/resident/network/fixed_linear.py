"""A linear layer whose products are added up in a fixed order."""

from __future__ import annotations

from torch import Tensor, nn

from evomerge_core.fixed_order.products import product


class FixedOrderLinear(nn.Linear):
    """`nn.Linear` in float32 on the CPU, with the same bits on every processor."""

    def forward(self, x: Tensor) -> Tensor:
        return with_bias(product(x, self.weight), self.bias)


def with_bias(out: Tensor, bias: Tensor | None) -> Tensor:
    """`out` [..., features], to which the bias [features] is added in place."""
    return out if bias is None else out.add_(bias)
