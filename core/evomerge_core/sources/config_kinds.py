"""What kind of value config.json must have where the merge, the preflight and transformers count on one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError

_LARGEST = 2**40


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


def _is_count_or_counts(value: Any) -> bool:
    """Some families have another number in each layer."""
    return _is_count(value) or (isinstance(value, list) and all(_is_count(one) for one in value))


def _is_id_or_ids(value: Any) -> bool:
    """-1 stands for none in old files."""
    values = value if isinstance(value, list) else [value]
    return all(type(one) is int and -1 <= one < _LARGEST for one in values)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_COUNT = (_is_count, "a whole number above 0")
_COUNTS = (_is_count_or_counts, "a whole number above 0, or one for each layer")
_IDS = (_is_id_or_ids, "a token's id or a list of ids")
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "architectures": (_is_texts, "a list of names"),
    "model_type": (lambda value: isinstance(value, str), "a name"),
    "text_config": (lambda value: isinstance(value, Mapping), "an object"),
    "tie_word_embeddings": (lambda value: isinstance(value, bool), "true or false"),
    **dict.fromkeys(("vocab_size", "hidden_size", "num_hidden_layers", "n_embd", "n_layer", "n_head"), _COUNT),
    **dict.fromkeys(
        ("intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings"), _COUNTS
    ),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), _IDS),
}
