"""Models whose layers paths run through, and children of paths on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path as Folder
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig

from evomerge_core.merging.config import MergeConfig, whole_model
from evomerge_core.paths.path import Hop, Path
from evomerge_core.paths.path_merge import PathMerge
from evomerge_core.sources.source import Source, open_sources

LAYERS = 4
SIZES: dict[str, Any] = {
    "vocab_size": 80,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
}


def llama(**changes: Any) -> LlamaConfig:
    return LlamaConfig(**{**SIZES, "tie_word_embeddings": True, **changes})


def gemma3(**changes: Any) -> Gemma3TextConfig:
    """Layer types by Gemma's rule: every third layer is full."""
    return Gemma3TextConfig(**{**SIZES, "sliding_window": 6, "sliding_window_pattern": 3, **changes})


def save(folder: Folder, config: Any, seed: int, dtype: torch.dtype = torch.bfloat16) -> Folder:
    torch.manual_seed(seed)
    model: Any = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.data += torch.randn_like(parameter) * 0.3
    model.to(dtype).save_pretrained(folder)
    Tokenizer(WordLevel({f"w{row}": row for row in range(80)}, unk_token="w0")).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "w1"}))
    return folder


def open_models(place: Folder, *names: str) -> dict[str, Source]:
    return open_sources(names, relative_to=place)


def child_of(hops: Path | list[tuple[Any, ...]], *members: str | MergeConfig) -> PathMerge:
    """A path through models (or merges) in their order."""
    path = hops if isinstance(hops, Path) else Path(tuple(Hop(*hop) for hop in hops))
    return PathMerge(tuple(whole_model(member, member) if isinstance(member, str) else member for member in members), path)


def tensors(folder: Folder) -> Mapping[str, Tensor]:
    return load_file(folder / "model.safetensors")


def config(folder: Folder) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return content


def files(folder: Folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
