"""A model's settings in one spelling, with defaults filled in, whatever version of transformers wrote its config.json."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from textwrap import shorten
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source

# transformers may list every model type that it knows.
_LONGEST_REASON = 240
# Names that some architectures spell in their own way (GPT-2's n_embd is hidden_size).
COMMON = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
)


def settings(source: Source) -> Mapping[str, Any]:
    """The language model's settings as transformers reads them; config.json as it stands for a type it doesn't know.

    `rope_parameters` is the one spelling of RoPE (older: `rope_theta` and `rope_scaling`). Raises InputError for a config.json
    that transformers can't make sense of.
    """
    read = _read(source, source.config, lambda config: config.get_text_config())
    nested = source.config.get("text_config")
    if read is None and isinstance(nested, Mapping):
        read = _read(source, nested, lambda config: config)
    if read is None:
        return source.config
    text, values = read
    values |= {name: getattr(text, name) for name in COMMON if hasattr(text, name)}
    values["rope_parameters"] = _rope(values.get("rope_parameters"))
    return values


def layer_count(source: Source) -> int:
    """The language model's number of layers; InputError where config.json doesn't say it by the usual name."""
    stated = source.config if source.checkpoint.body is None else settings(source)
    count = stated.get("num_hidden_layers")
    if not isinstance(count, int):
        where = source.folder / "config.json"
        raise InputError("num_hidden_layers is missing", where=where, remedy="give a language model's folder")
    return count


def tower_settings(source: Source) -> Mapping[str, Any]:
    """A vision tower's settings as transformers reads them, or as config.json has them for a type that it doesn't know."""
    read = _read(source, source.config, lambda config: config.vision_config)
    if read is not None:
        return read[1]
    stated = source.config.get("vision_config")
    return stated if isinstance(stated, Mapping) else {}


def _read(source: Source, stated: Mapping[str, Any], part: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]] | None:
    """A part of transformers' config of what a source has `stated`, and its settings; None for a type that transformers
    doesn't know."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    kind = stated.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        return None
    try:
        config: Any = part(CONFIG_MAPPING[kind].from_dict(copy.deepcopy(dict(stated))))
        return config, config.to_dict()
    except (StrictDataclassError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        reason = shorten(str(error), _LONGEST_REASON, placeholder=" ...") or type(error).__name__
        raise InputError(
            reason, where=source.folder / "config.json", remedy="correct it, or download the model again"
        ) from None


def _rope(parameters: Any) -> Any:
    """Without the older key `type`, which stands beside `rope_type` and says the same."""
    if not isinstance(parameters, Mapping):
        return parameters
    return {key: _rope(value) for key, value in parameters.items() if key != "type"}
