"""The child's config.json: the base's, with the child's layers, dtype and head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evomerge_core.merging.config import DType
from evomerge_core.merging.origins import is_head
from evomerge_core.merging.plan import TensorMerge
from evomerge_core.merging.slices import PlannedSlice
from evomerge_core.sources.source import Source

_LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")


def child_config(
    slices: Sequence[PlannedSlice], plan: Sequence[TensorMerge], sources: Mapping[str, Source], out_dtype: DType
) -> dict[str, Any]:
    """The config of what `plan` gives. Lists with one entry per layer follow the layers, each from its slice's base."""
    template = slices[0].template
    config = dict(sources[template.model].config)
    config.pop("_name_or_path", None)
    config.pop("torch_dtype", None)
    config["dtype"] = out_dtype
    tied = not any(is_head(merge.name) for merge in plan)
    text = config.get("text_config")
    if isinstance(text, dict) and _depth(text) is not None:
        config["text_config"] = {**text, **_layers(text, slices, sources), "tie_word_embeddings": tied}
    return {**config, **_layers(config, slices, sources), "tie_word_embeddings": tied}


def _layers(config: Mapping[str, Any], slices: Sequence[PlannedSlice], sources: Mapping[str, Source]) -> dict[str, Any]:
    depth = _depth(config)
    changed: dict[str, Any] = {key: sum(part.template.depth for part in slices) for key in _LAYER_COUNTS if key in config}
    for key, value in config.items():
        if isinstance(value, list) and len(value) == depth and "layer" in key:
            changed[key] = [entry for part in slices for entry in _entries(key, part, sources)]
    return changed


def _entries(key: str, part: PlannedSlice, sources: Mapping[str, Source]) -> list[Any]:
    config = sources[part.template.model].config
    text = config.get("text_config")
    values = config[key] if key in config or not isinstance(text, dict) else text[key]
    return list(values[part.template.start : part.template.stop])


def _depth(config: Mapping[str, Any]) -> int | None:
    return next((config[key] for key in _LAYER_COUNTS if isinstance(config.get(key), int)), None)
