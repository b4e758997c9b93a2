"""Models and adapters on the hub, by a part of their name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evomerge_core.discovery.found import FoundModel, Kind, architecture_of
from evomerge_core.errors import InputError
from evomerge_core.sources.resolve import as_input_error
from evomerge_core.sources.stored.model_card import base_models, licence_in

_PROPERTIES = ["cardData", "config", "downloads", "gated", "library_name", "pipeline_tag", "safetensors", "tags"]
_DTYPE_BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4, "I16": 2}


def search_hub(text: str, limit: int = 40) -> list[FoundModel]:
    """Models whose id holds `text`, most downloaded first. Raises InputError when the hub can't be asked."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        raise InputError(
            "not searched, because HF_HUB_OFFLINE is set", where=constants.ENDPOINT, remedy="unset it to search the hub"
        )
    expand: Any = _PROPERTIES
    with as_input_error(text):
        listed = list(HfApi().list_models(search=text, sort="downloads", limit=limit, expand=expand))
    return [_found(info) for info in listed]


def _found(info: Any) -> FoundModel:
    config: Mapping[str, Any] = info.config or {}
    tags = set(info.tags or ())
    card: Mapping[str, Any] = info.card_data.to_dict() if info.card_data else {}
    kind: Kind = "adapter" if info.library_name == "peft" or "lora" in tags or "adapter_config" in tags else "model"
    tagged = next((tag.partition(":")[2] for tag in sorted(tags) if tag.startswith("license:")), None)
    dtypes = {} if info.safetensors is None else info.safetensors.parameters
    return FoundModel(
        info.id,
        kind,
        "hub",
        architecture="LoRA" if kind == "adapter" else architecture_of(config),
        parameters=None if info.safetensors is None else info.safetensors.total,
        bytes=sum(count * _DTYPE_BYTES.get(dtype, 1) for dtype, count in dtypes.items()) or None,
        licence=licence_in(card) or tagged,
        made_from=base_models(card),
        sees=kind == "model" and info.pipeline_tag == "image-text-to-text",
        downloads=info.downloads,
        problem=_problem(info, kind, config, tags),
    )


def _problem(info: Any, kind: Kind, config: Mapping[str, Any], tags: set[str]) -> str:
    if "quantization_config" in config:
        return "already quantised: choose the unquantised original"
    if info.library_name == "gguf" or ("gguf" in tags and info.safetensors is None):
        return "a GGUF, already quantised: choose the unquantised original"
    if kind == "model" and info.safetensors is None:
        return "has no safetensors on the hub: choose another model, or convert it"
    return ""
