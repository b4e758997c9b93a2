"""A decoder whose layers are a path through another decoder's: copies of the modules that share every weight.

A hop is a shallow copy of its layer with a number of its own, so that a layer that is visited twice writes to two places of
the cache. Nothing of the other decoder is changed; a view costs no memory beside the cache.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from evomerge_core.errors import InputError
from evomerge_quant.resident.network.layered_config import with_layers

# (layer, what its input is multiplied by), hop by hop
Route = Sequence[tuple[int, float]]


def view_path(decoder: Any, route: Route) -> Any:
    """The decoder that goes through `decoder`'s layers by `route`; its config says so many layers, of these types.

    InputError for a decoder whose layers aren't found.
    """
    name = _stack_name(decoder)
    layers = getattr(decoder, name)
    hops = [_hop(layers[layer], number, scale) for number, (layer, scale) in enumerate(route)]
    view = _shared_copy(decoder)
    view._modules[name] = nn.ModuleList(hops)
    view.config = with_layers(decoder.config, [layer for layer, _ in route])
    return view


def _stack_name(decoder: Any) -> str:
    depth = decoder.config.num_hidden_layers
    for name, module in decoder.named_children():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return str(name)
    raise InputError(f"config.json: model_type: paths through the layers of {decoder.config.model_type} can't be run here")


def _hop(layer: Any, number: int, scale: float) -> Any:
    hop = _numbered(layer, number)
    if scale != 1.0:
        hop = _shared_copy(hop) if hop is layer else hop
        hop._forward_pre_hooks = OrderedDict()
        hop.register_forward_pre_hook(lambda _, inputs: _scaled(inputs, scale))
    return hop


def _numbered(module: Any, number: int) -> Any:
    """The module, copied as far down as something in it knows which layer it belongs to."""
    children = {name: _numbered(child, number) for name, child in module.named_children()}
    changed = {name: child for name, child in children.items() if child is not module._modules[name]}
    if not changed and not hasattr(module, "layer_idx"):
        return module
    made = _shared_copy(module)
    made._modules.update(changed)
    if hasattr(module, "layer_idx"):
        made.layer_idx = number
    return made


def _shared_copy(module: Any) -> Any:
    """A module of its own with the same weights and submodules."""
    made = copy.copy(module)
    made._modules = dict(module._modules)
    return made


def _scaled(inputs: tuple[Tensor, ...], scale: float) -> tuple[Tensor, ...]:
    """A layer's positional inputs, of which the first is the stream."""
    stream, *rest = inputs
    return (stream * scale, *rest)
