"""Makes a model add up in a fixed order, as far as its family's code leaves that to its layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from evomerge_quant.resident.network.few_bits.linear import FewBitLinear
from evomerge_quant.resident.network.fixed_attention import use_fixed_attention
from evomerge_quant.resident.network.fixed_elementwise import fix_elementwise
from evomerge_quant.resident.network.fixed_linear import FixedOrderLinear


def fix_order(model: Any) -> bool:
    """Lets a placed float32 model on the CPU multiply and attend in a fixed order; its weights stay where they are.

    False where something is left that torch computes in the processor's way: experts kept in one tensor, convolutions,
    attention of a family's own, an activation such as exact GELU.
    """
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = FixedOrderLinear
    parts = (use_fixed_attention(model), fix_elementwise(model))
    return all(parts) and not any(_multiplies_by_itself(module) for module in model.modules())


def _multiplies_by_itself(module: nn.Module) -> bool:
    if isinstance(module, FixedOrderLinear | FewBitLinear | nn.Embedding):
        return False
    return any(parameter.dim() > 1 for parameter in module.parameters(recurse=False))
