"""A model's settings in one spelling, with defaults filled in, whatever version of transformers wrote its config.json."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source

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
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    kind = source.config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        return source.config
    try:
        text: Any = CONFIG_MAPPING[kind].from_dict(copy.deepcopy(dict(source.config))).get_text_config()
        values: dict[str, Any] = text.to_dict()
    except (StrictDataclassError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            reason, where=source.folder / "config.json", remedy="correct it, or download the model again"
        ) from None
    values |= {name: getattr(text, name) for name in COMMON if hasattr(text, name)}
    values["rope_parameters"] = _rope(values.get("rope_parameters"))
    return values


def _rope(parameters: Any) -> Any:
    """Without the older key `type`, which stands beside `rope_type` and says the same."""
    if not isinstance(parameters, Mapping):
        return parameters
    return {key: _rope(value) for key, value in parameters.items() if key != "type"}
