"""The child's config.json: the base's, with the child's layers, dtype and head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evomerge_core.merging.config import DType
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import LAYER_COUNTS

# Blocks that guess further tokens ahead; they are left out of a child, as transformers passes over them.
_AHEAD = ("num_nextn_predict_layers", "num_mtp_layers", "mtp_num_hidden_layers", "mtp_num_layers")

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
    if isinstance(text, dict):
        text = {**_unsaid_depth(text, template, layers), **text}
    if isinstance(text, dict) and _depth(text) is not None:
        config["text_config"] = {**text, **_layers(text, template, layers), "tie_word_embeddings": tied}
    return {**config, **_layers(config, template, layers), "tie_word_embeddings": tied}


def _unsaid_depth(text: Mapping[str, Any], template: Source, layers: Sequence[LayerOrigin]) -> dict[str, Any]:
    """The number of layers that a `text_config` leaves to its class's default, where the child has another one."""
    depth = settings(template).get("num_hidden_layers")
    return {} if _depth(text) is not None or depth in (None, len(layers)) else {"num_hidden_layers": depth}


def _layers(config: Mapping[str, Any], template: Source, layers: Sequence[LayerOrigin]) -> dict[str, Any]:
    depth = _depth(config)
    if depth is None:
        return {}
    changed: dict[str, Any] = {key: len(layers) for key in LAYER_COUNTS if key in config}
    changed |= _without_blocks_ahead(config, template)
    if [index for _, index in layers] != list(range(depth)):
        changed |= _by_rule(config, template, layers)
    for key in _lists(config, depth, _ahead(config)):
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


def _without_blocks_ahead(config: Mapping[str, Any], template: Source) -> dict[str, Any]:
    """Their number as 0, also where config.json leaves it to a default; llama.cpp looks for as many blocks."""
    unsaid = settings(template) if template.checkpoint.left_out else {}
    return {key: 0 for key in _AHEAD if config.get(key) or (key not in config and unsaid.get(key))}


def _ahead(config: Mapping[str, Any]) -> int:
    return next((config[key] for key in _AHEAD if isinstance(config.get(key), int)), 0)


def _lists(config: Mapping[str, Any], depth: int | None, ahead: int = 0) -> list[str]:
    """The keys that hold one entry per layer; some have further entries, for the blocks ahead."""
    if depth is None:
        return []
    per_layer = {depth, depth + ahead}
    lists = {key: value for key, value in config.items() if isinstance(value, list) and "layer" in key and "mtp" not in key}
    return [key for key, value in lists.items() if value and len(value) in per_layer]


def _stated(config: Mapping[str, Any], key: str) -> Sequence[Any]:
    text = config.get("text_config")
    values: Sequence[Any] = config[key] if key in config or not isinstance(text, dict) else text[key]
    return values


def _depth(config: Mapping[str, Any]) -> int | None:
    return next((config[key] for key in LAYER_COUNTS if isinstance(config.get(key), int)), None)
