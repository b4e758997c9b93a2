"""A model's config for other layers than its own: some left out, some repeated, in another order."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any


def with_layers(config: Any, layers: Sequence[int]) -> Any:
    """A copy of a transformers config whose layer i is what layer `layers[i]` of `config` is.

    Lists with one entry per layer (layer types, say) follow the layers.
    """
    depth = config.num_hidden_layers
    made = copy.deepcopy(config)
    for key, value in config.to_dict().items():
        if isinstance(value, list) and len(value) == depth and "layer" in key:
            setattr(made, key, [value[layer] for layer in layers])
    made.num_hidden_layers = len(layers)
    return made
