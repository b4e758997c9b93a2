"""The child's config.json: the base's, with the child's layers, dtype and head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evomerge_core.merging.config import DType
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.source import Source

_LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")

# A layer of the child: the model whose config describes it, and which of that model's layers it is.
LayerOrigin = tuple[Source, int]


def child_config(template: Source, layers: Sequence[LayerOrigin], tied: bool, out_dtype: DType) -> dict[str, Any]:
    """The template's config for a child of these layers.

    Lists with one entry per layer follow the layers. Those that config.json leaves to a rule (Gemma's layer types) are written
    out where the layers are not those of the template in their order.
    """
    config = dict(template.config)
    config.pop("_name_or_path", None)
    config.pop("torch_dtype", None)
    config["dtype"] = out_dtype
    text = config.get("text_config")
    if isinstance(text, dict) and _depth(text) is not None:
        config["text_config"] = {**text, **_layers(text, template, layers), "tie_word_embeddings": tied}
    return {**config, **_layers(config, template, layers), "tie_word_embeddings": tied}


def _layers(config: Mapping[str, Any], template: Source, layers: Sequence[LayerOrigin]) -> dict[str, Any]:
    depth = _depth(config)
    if depth is None:
        return {}
    changed: dict[str, Any] = {key: len(layers) for key in _LAYER_COUNTS if key in config}
    if [index for _, index in layers] != list(range(depth)):
        changed |= _by_rule(config, template, layers)
    for key in _lists(config, depth):
        changed[key] = [_stated(source.config, key)[index] for source, index in layers]
    return changed


def _by_rule(config: Mapping[str, Any], template: Source, layers: Sequence[LayerOrigin]) -> dict[str, Any]:
    """The lists that the config lacks, and whose entries aren't all the same."""
    views = {id(source): settings(source) for source in (template, *(source for source, _ in layers))}
    view = views[id(template)]
    unsaid = [
        key for key in _lists(view, _depth(view)) if key not in config and any(value != view[key][0] for value in view[key])
    ]
    return {key: [views[id(source)][key][index] for source, index in layers] for key in unsaid}


def _lists(config: Mapping[str, Any], depth: int | None) -> list[str]:
    return [
        key for key, value in config.items() if isinstance(value, list) and value and len(value) == depth and "layer" in key
    ]


def _stated(config: Mapping[str, Any], key: str) -> Sequence[Any]:
    text = config.get("text_config")
    values: Sequence[Any] = config[key] if key in config or not isinstance(text, dict) else text[key]
    return values


def _depth(config: Mapping[str, Any]) -> int | None:
    return next((config[key] for key in _LAYER_COUNTS if isinstance(config.get(key), int)), None)
