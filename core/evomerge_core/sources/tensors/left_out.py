"""Stored tensors that are no part of the model: layers beyond its last one, and multi-token-prediction blocks.

DeepSeek and GLM store such a block as one more layer, Qwen and others as `mtp.`. It guesses further tokens ahead, which is no
part of what the model computes: transformers builds `num_hidden_layers` layers and passes over all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from evomerge_core.sources.tensors.names import LAYER, LAYER_COUNTS, decoder_stack

_AHEAD = re.compile(r"(^|\.)mtp\w*\.")


def left_out(config: Mapping[str, Any], names: Iterable[str]) -> frozenset[str]:
    """Those of a model's tensor names that transformers passes over."""
    names = tuple(names)
    stack, depth = decoder_stack(names), _depth(config)
    placed = {name: int(match["layer"]) for name in names if (match := LAYER.match(name)) and match["stack"] == stack}
    # Layers that are counted in another way than from 0 are not judged.
    whole = depth is not None and set(range(depth)) <= set(placed.values())
    beyond = {name for name, layer in placed.items() if whole and depth is not None and layer >= depth}
    return frozenset(beyond | {name for name in names if _AHEAD.search(name)})


def blocks_of(names: Iterable[str]) -> tuple[str, ...]:
    """What the names of such tensors begin with: `model.layers.61`, `mtp`."""
    found = []
    for name in names:
        ahead, layer = _AHEAD.search(name), LAYER.match(name)
        if ahead is not None:
            found.append(name[: ahead.end() - 1])
        elif layer is not None:
            found.append(f"{layer['stack']}{layer['layer']}")
    return tuple(dict.fromkeys(found))


def _depth(config: Mapping[str, Any]) -> int | None:
    """The number of layers that config.json states; a model with a vision tower states it in `text_config`."""
    text = config.get("text_config")
    stated = [part[key] for part in (text, config) if isinstance(part, Mapping) for key in LAYER_COUNTS if key in part]
    depth = stated[0] if stated else None
    return depth if isinstance(depth, int) and not isinstance(depth, bool) and depth > 0 else None
