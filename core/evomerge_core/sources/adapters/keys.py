"""What the tensors of a PEFT file are called, and to which of the model's modules and tensors they belong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_PREFIX = "base_model.model."
# The adapter's name may stand before the last part.
_FACTOR = re.compile(r"^(?P<module>.+)\.lora_(?P<table>embedding_)?(?P<factor>[AB])(\.(?!(weight|bias)$)\w+)?(\.weight)?$")
_BIAS = re.compile(r"^(?P<module>.+)\.lora_B(\.\w+)?\.bias$")
_MAGNITUDE = re.compile(r"^(?P<module>.+)\.lora_magnitude_vector(\.(?!weight$)\w+)?(\.weight)?$")
_ROWS = re.compile(r"^(?P<module>.+)\.token_adapter\.trainable_tokens_delta(\.\w+)?$")
# peft wraps a layer: the original stays beside what was trained, and some versions save both.
_WRAPPER = re.compile(r"\.(token_adapter\.base_layer|base_layer|modules_to_save(\.default)?)\.(?=\w)")
_WRAPPED_ORIGINAL = re.compile(r"\.(original_module\.|token_adapter\.trainable_tokens_original)")


@dataclass(frozen=True)
class Keys:
    """The keys of an adapter's file, sorted.

    `factors`: (module, whether it is a table of rows) -> A or B -> key. `biases` (of factor B), `magnitudes` and `rows`: module
    -> key. `whole`: the model's tensor -> the key that holds it.
    """

    factors: dict[tuple[str, bool], dict[str, str]] = field(default_factory=dict)
    biases: dict[str, str] = field(default_factory=dict)
    magnitudes: dict[str, str] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    whole: dict[str, str] = field(default_factory=dict)


def sort_keys(names: Iterable[str]) -> Keys:
    """Sorts the names of an adapter's tensors."""
    keys = Keys()
    for key in names:
        name = key.removeprefix(_PREFIX)
        if factor := _FACTOR.match(name):
            keys.factors.setdefault((factor["module"], factor["table"] is not None), {})[factor["factor"]] = key
        elif bias := _BIAS.match(name):
            keys.biases[bias["module"]] = key
        elif magnitude := _MAGNITUDE.match(name):
            keys.magnitudes[magnitude["module"]] = key
        elif rows := _ROWS.match(name):
            keys.rows[rows["module"]] = key
        elif not _WRAPPED_ORIGINAL.search(name):
            keys.whole[_WRAPPER.sub(".", name)] = key
    return keys
