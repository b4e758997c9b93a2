"""Makes a vision tower and its projector add up in a fixed order: what they have besides what text models have."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation, QuickGELUActivation

from evomerge_core.fixed_order.products import product
from evomerge_quant.resident.network.fixed_elementwise import aligned
from evomerge_quant.resident.network.fixed_linear import with_bias
from evomerge_quant.resident.network.fixed_order import fix_order


class FixedOrderPatches(nn.Conv2d):
    """A convolution whose windows lie side by side, on the CPU in float32: a product of its patches."""

    def forward(self, pixels: Tensor) -> Tensor:
        count, channels, height, width = pixels.shape
        tall, wide = self.kernel_size
        rows, columns = height // tall, width // wide
        whole = pixels[:, :, : rows * tall, : columns * wide]
        patches = whole.reshape(count, channels, rows, tall, columns, wide).permute(0, 2, 4, 1, 3, 5)
        out = with_bias(product(patches.reshape(-1, channels * tall * wide), self.weight.flatten(1)), self.bias)
        return out.reshape(count, rows, columns, -1).permute(0, 3, 1, 2)


class FixedOrderCubes(nn.Conv3d):
    """A convolution of patches that each are one window, on the CPU in float32."""

    def forward(self, patches: Tensor) -> Tensor:
        out = with_bias(product(patches.flatten(1).contiguous(), self.weight.flatten(1)), self.bias)
        return out.reshape(*out.shape, 1, 1, 1)


def fix_eyes(model: Any) -> None:
    """Lets placed float32 eyes on the CPU multiply and attend in a fixed order, as far as their family's code leaves that to
    their layers."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _lie_side_by_side(module):
            module.__class__ = FixedOrderPatches
        elif type(module) is nn.Conv3d and _lie_side_by_side(module):
            module.__class__ = FixedOrderCubes
        elif isinstance(module, QuickGELUActivation):
            setattr(module, "forward", partial(aligned, module.forward))  # noqa: B010 (mypy refuses the assignment)
        elif isinstance(module, GELUActivation) or (isinstance(module, nn.GELU) and module.approximate == "none"):
            setattr(module, "forward", partial(aligned, _gelu))  # noqa: B010
    fix_order(model)
    for module in model.modules():
        if "Vision" in type(module).__name__ and type(module).__name__.endswith("RotaryEmbedding"):
            # its tables are not of rows of positions, as those of text models are
            setattr(module, "forward", partial(_on_one_thread, type(module).forward.__get__(module)))  # noqa: B010


def _on_one_thread(tables: Callable[..., Any], *given: Any, **named: Any) -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return tables(*given, **named)
    finally:
        torch.set_num_threads(threads)


def _lie_side_by_side(convolution: nn.Conv2d | nn.Conv3d) -> bool:
    unpadded = convolution.padding in ("valid", (0,) * len(convolution.kernel_size))
    plain = convolution.groups == 1 and set(convolution.dilation) == {1}
    return unpadded and plain and convolution.stride == convolution.kernel_size


def _gelu(x: Tensor) -> Tensor:
    """Exact GELU by torch's own loops: oneDNN's depends on the instruction set."""
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))
