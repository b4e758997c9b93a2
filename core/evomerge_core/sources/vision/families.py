"""Families of vision-language models, and what sets them apart from a text model that reads features as embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Family:
    """`beyond`: what it takes to read a picture besides features in the place of embeddings; `fixed_layers`: why layers can't
    change their places. "" where there is no such thing. `two_ways`: a picture's tokens see each other in both directions.
    """

    title: str
    beyond: str = ""
    fixed_layers: str = ""
    two_ways: bool = False


_DEEPSTACK = "features of the picture are added to the output of the first layers (deepstack)"
_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "smolvlm": Family("SmolVLM"),
        "idefics3": Family("Idefics3"),
        "llava": Family("LLaVA"),
        "llava_next": Family("LLaVA-NeXT"),
        "qwen2_vl": Family("Qwen2-VL"),
        "qwen2_5_vl": Family("Qwen2.5-VL"),
        "gemma3": Family("Gemma 3", two_ways=True),
        "qwen3_vl": Family("Qwen3-VL", fixed_layers=_DEEPSTACK),
        "qwen3_vl_moe": Family("Qwen3-VL-MoE", "transformers puts its experts together", _DEEPSTACK),
    }
)
# Text models whose weights mean the same; text alone is read alike, since the three parts of its positions are equal.
_TEXT_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "qwen2_vl_text": "qwen2",
        "qwen2_5_vl_text": "qwen2",
        "qwen3_vl_text": "qwen3",
        "qwen3_vl_moe_text": "qwen3_moe",
    }
)


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a vision-language model's config.json; one that isn't known here has its model type for a title."""
    kind, tower = str(config.get("model_type")), config.get("vision_config")
    family = _FAMILIES.get(kind, Family(kind, "how it reads pictures isn't known here"))
    if kind.startswith("llava") and isinstance(tower, Mapping) and tower.get("model_type") == "pixtral":
        return replace(family, beyond="each row of a picture ends in a token of its own")
    return family


def is_known(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is one of a family that is known here."""
    return str(config.get("model_type")) in _FAMILIES


def text_kind(model_type: object) -> str:
    """The model type of the text models that a language part of this model type is one of."""
    kind = str(model_type)
    return _TEXT_KINDS.get(kind, kind)
