"""A model's shape without its weights, and the room for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM

from evomerge_core.errors import InputError
from evomerge_quant.resident.network.decoder_with_head import DecoderWithHead
from evomerge_quant.resident.network.few_bits.block_linear import BlockLinear, Int5Linear, Int8Linear
from evomerge_quant.resident.network.few_bits.linear import FewBitLinear
from evomerge_quant.resident.network.few_bits.nf4_linear import Nf4Linear

Precision = Literal["nf4", "int5", "int8", "bf16", "fp32"]

# What transformers' and torch's classes raise for settings that they can't make sense of.
_UNBUILDABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, ImportError)
# What holds a layer in the precisions of few bits.
FEW_BITS: Mapping[Precision, type[Nf4Linear | BlockLinear]] = MappingProxyType(
    {"nf4": Nf4Linear, "int5": Int5Linear, "int8": Int8Linear}
)


def make_skeleton(config: Any, precision: Precision, compute_dtype: torch.dtype) -> Any:
    """The causal language model of a config, its parameters on the meta device.

    In few bits, each linear layer inside of the decoder layers is a `FewBitLinear`; InputError when there is none.
    """
    try:
        with init_empty_weights(include_buffers=False):
            model = _causal(config)
    except _UNBUILDABLE as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(
            f"transformers can't build the model ({reason})", where="config.json", remedy="correct it, or take another model"
        ) from None
    model.tie_weights()
    model.eval().requires_grad_(False)
    few_bits = FEW_BITS.get(precision)
    if few_bits is not None:
        linears = [(name, module) for name, module in model.named_modules() if _inside_layer(name, module)]
        if not linears:
            raise InputError(f"config.json: model_type: {config.model_type} has no linear layers to hold in few bits; use bf16")
        for name, module in linears:
            model.set_submodule(name, few_bits(module, compute_dtype))
    return model


def _causal(config: Any) -> Any:
    if type(config) not in AutoModelForCausalLM._model_mapping and type(config) in AutoModel._model_mapping:
        return DecoderWithHead(config)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)  # type: ignore[no-untyped-call]


def few_bit_layers(model: Any) -> list[FewBitLinear]:
    """The layers of a model that are held in few bits."""
    return [module for module in model.modules() if isinstance(module, FewBitLinear)]


def place(model: Any, dtype: torch.dtype, device: torch.device, *, unpacked: bool) -> None:
    """Gives a skeleton room for its weights on `device`: parameters in `dtype`, layers of few bits as they are."""
    made: dict[int, nn.Parameter] = {}  # tied parameters stay one
    for module in model.modules():
        if isinstance(module, FewBitLinear):
            module.place(device, unpacked=unpacked)
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.is_meta:
                room = torch.zeros(parameter.shape, dtype=dtype, device=device)
                setattr(module, name, made.setdefault(id(parameter), nn.Parameter(room, requires_grad=False)))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))


def _inside_layer(name: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and any(part.isdigit() for part in name.split("."))
