"""Which layers of a model attend through a sliding window, written into the GGUF where llama.cpp's converter leaves it out.

For Gemma 2 and 3 the converter trusts that every model repeats its family's pattern, and llama.cpp fills it in. A path through
layers need not repeat it. llama.cpp takes a flag for each layer instead (`load_swa_pattern` in its `llama-model.cpp`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError

# What llama.cpp builds with windows whatever the layers say; without a single windowed layer it aborts.
_ALWAYS_WINDOWED = frozenset({"gemma2", "gemma3", "gemma3_text"})


def check_windows(model: Path) -> None:
    """InputError for a model that llama.cpp would abort on: of a family with windows, but without a windowed layer."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    flags = window_flags(config)
    if flags is not None and not any(flags) and config.get("model_type") in _ALWAYS_WINDOWED:
        raise InputError(
            f"{model / 'config.json'}: layer_types: no layer is a sliding_attention one, and llama.cpp can't read such a "
            f"{config['model_type']}: choose a path through at least one such layer, or use the safetensors"
        )


def window_flags(config: dict[str, Any]) -> list[bool] | None:
    """A flag for each layer of a `config.json`, True where a window limits it; None for a model without windows."""
    text = config.get("text_config", config)
    kinds = text.get("layer_types")
    if not kinds or not text.get("sliding_window") or not set(kinds) <= {"sliding_attention", "full_attention"}:
        return None
    return [kind == "sliding_attention" for kind in kinds]


def write_window_pattern(model: Path) -> None:
    """Has this process's `gguf.GGUFWriter` write the flags of a model folder, unless the converter writes its own.

    Call it in a process of its own, because it changes the class.
    """
    import gguf

    flags = window_flags(json.loads((model / "config.json").read_text(encoding="utf-8")))
    if flags is None:
        return
    write_header = gguf.GGUFWriter.write_header_to_file

    def with_pattern(writer: Any, *arguments: Any, **options: Any) -> None:
        key = gguf.Keys.Attention.SLIDING_WINDOW_PATTERN.format(arch=writer.arch)
        if not any(key in data for data in writer.kv_data):
            writer.add_array(key, flags)
        write_header(writer, *arguments, **options)

    gguf.GGUFWriter.write_header_to_file = with_pattern
