"""What kind of value config.json must have where the merge, the preflight and transformers count on one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError

_LARGEST = 2**31
# The deepest models have a few hundred.
_MOST_LAYERS = 2**16


def require_kinds(path: Path, config: Mapping[str, Any]) -> None:
    """InputError for the first key of a model's config.json, or of its `text_config`, whose value is of another kind.

    Keys that are missing or null are left to whoever needs them.
    """
    for key, wanted in _wrong(config):
        raise InputError(f"must be {wanted}, not {_short(_value(config, key))}", where=f"{path}: {key}", remedy=_REMEDY)


_REMEDY = "correct it, or download the model again"


def _wrong(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, (is_right, wanted) in _KINDS.items():
        if config.get(key) is not None and not is_right(config[key]):
            yield key, wanted
    text = config.get("text_config")
    if isinstance(text, Mapping):
        yield from ((f"text_config.{key}", wanted) for key, wanted in _wrong(text))


def _value(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value[part]
    return value


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value < _LARGEST


def _is_depth(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MOST_LAYERS


def _is_count_or_counts(value: Any) -> bool:
    """Some families have another number in each layer."""
    return _is_count(value) or (isinstance(value, list) and all(_is_count(one) for one in value))


def _is_id_or_ids(value: Any) -> bool:
    """-1 stands for none in old files."""
    values = value if isinstance(value, list) else [value]
    return all(type(one) is int and -1 <= one < _LARGEST for one in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_finite(value: Any) -> bool:
    """Whether all numbers in a value are finite, such as those of RoPE's settings."""
    if isinstance(value, Mapping | list):
        return all(_is_finite(one) for one in (value.values() if isinstance(value, Mapping) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_COUNT = (_is_count, "a whole number above 0")
_COUNTS = (_is_count_or_counts, "a whole number above 0, or one for each layer")
_WINDOW = (lambda value: _is_count(value) or (type(value) is int and value == 0), "a whole number")
_IDS = (_is_id_or_ids, "a token's id or a list of ids")
_NUMBER = (_is_number, "a number from 0 that isn't infinite")
_NAME = (lambda value: isinstance(value, str), "a name")
_ROPE = (lambda value: isinstance(value, Mapping) and _is_finite(value), "an object of finite numbers")
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "architectures": (_is_texts, "a list of names"),
    "model_type": _NAME,
    "text_config": (lambda value: isinstance(value, Mapping), "an object"),
    "tie_word_embeddings": (lambda value: isinstance(value, bool), "true or false"),
    **dict.fromkeys(("num_hidden_layers", "n_layer"), (_is_depth, f"a whole number from 1 to {_MOST_LAYERS:,}")),
    **dict.fromkeys(("vocab_size", "hidden_size", "n_embd", "n_head"), _COUNT),
    **dict.fromkeys(
        ("intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings"), _COUNTS
    ),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), _IDS),
    **dict.fromkeys(("hidden_act", "hidden_activation", "activation_function", "dtype", "torch_dtype"), _NAME),
    **dict.fromkeys(("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon"), _NUMBER),
    **dict.fromkeys(("rope_theta", "partial_rotary_factor", "initializer_range"), _NUMBER),
    **dict.fromkeys(("rope_scaling", "rope_parameters"), _ROPE),
    **dict.fromkeys(("sliding_window", "max_window_layers"), _WINDOW),
    "layer_types": (_is_texts, "a list of names"),
}
