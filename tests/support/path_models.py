"""Pairs of tiny random models of one family, and random paths through their layers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as Folder
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
    Starcoder2Config,
)

from evomerge_core.merging.config import MergeConfig, whole_model
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.paths.path import Hop, Path, Pool
from evomerge_core.paths.path_merge import PathMerge
from evomerge_core.paths.pool import pool_layers, route, stream_pool
from evomerge_core.recipe.schema import Arithmetic
from evomerge_core.sources.source import Source, open_sources
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network.skeleton import Precision
from support.tiny_models import ENDS, WORDS, save_tokenizer

LAYERS = 4
_SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": ENDS,
    "tie_word_embeddings": False,
}
_WIDE = {**_SIZES, "head_dim": 16}
_PATTERN = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaConfig(**_WIDE, attention_bias=True, mlp_bias=True),
    "mistral": lambda: MistralConfig(**_WIDE, sliding_window=6),
    "qwen2": lambda: Qwen2Config(**_SIZES, use_sliding_window=True, sliding_window=5, max_window_layers=2),
    "qwen3": lambda: Qwen3Config(**_WIDE),
    "gemma3_text": lambda: Gemma3TextConfig(**_WIDE, sliding_window=6, query_pre_attn_scalar=16, layer_types=_PATTERN),
    "gemma2": lambda: Gemma2Config(**_WIDE, sliding_window=6, query_pre_attn_scalar=16),
    "gemma": lambda: GemmaConfig(**_WIDE),
    "granite": lambda: GraniteConfig(**_SIZES, logits_scaling=3.0, residual_multiplier=0.7, embedding_multiplier=2.0),
    "cohere": lambda: CohereConfig(**_SIZES, logit_scale=0.3),
    "smollm3": lambda: SmolLM3Config(**_SIZES, no_rope_layer_interval=2),
    "phi3": lambda: Phi3Config(**_SIZES),
    "starcoder2": lambda: Starcoder2Config(**_SIZES),
    "gpt_neox": lambda: GPTNeoXConfig(**{k: v for k, v in _SIZES.items() if k != "num_key_value_heads"}),
}


@dataclass(frozen=True)
class Pair:
    """Two models: their folders, opened sources, and each as a member of a path."""

    folders: tuple[Folder, Folder]
    sources: Mapping[str, Source]
    members: tuple[MergeConfig, ...]

    @property
    def pool(self) -> Pool:
        return Pool(("first", "second"), LAYERS)

    def child(self, path: Path) -> PathMerge:
        return PathMerge(self.members, path)


def write_pair(place: Folder, family: str, dtype: str = "float32") -> Pair:
    """Two random models of a family, merged and written in `dtype`."""
    folders = (_save(place / "first", family, 1, dtype), _save(place / "second", family, 2, dtype))
    sources = open_sources([str(folder) for folder in folders], relative_to=place)
    members = tuple(replace(whole_model(str(place), str(place)), out_dtype=dtype) for place in folders)  # type: ignore[arg-type]
    return Pair(folders, sources, members)


def random_path(seed: int, *, scaled: bool = True) -> Path:
    """A's first layer, seven hops anywhere, A's last: with repeats, since the layers are eight."""
    draw = random.Random(seed)
    scales = [draw.uniform(0.5, 1.5) if scaled else 1.0 for _ in range(8)]
    inner = [Hop(draw.randrange(2), draw.randrange(LAYERS), scale) for scale in scales[:7]]
    inner[3] = replace(inner[2], scale=scales[3])
    return Path((Hop(0, 0), *inner, Hop(0, LAYERS - 1, scales[7])))


def resident(pair: Pair, precision: Precision = "fp32", arithmetic: Arithmetic = "float32") -> ResidentModel:
    """The layers of both models, loaded once."""
    layers = pool_layers(pair.pool)
    model = build(pair.folders[0], precision=precision, device="cpu", arithmetic=arithmetic, layers=layers, batch_size=4)
    out = torch.float32 if precision == "fp32" else torch.bfloat16
    model.load(stream_pool(pair.members, pair.sources, MergeEngine(pair.sources, out_dtype=out)))
    return model


def follow(model: ResidentModel, pair: Pair, path: Path) -> None:
    model.follow(route(path, pair.pool))


def _save(folder: Folder, family: str, seed: int, dtype: str) -> Folder:
    torch.manual_seed(seed)
    model: Any = AutoModelForCausalLM.from_config(CONFIGS[family]())
    for parameter in model.parameters():
        if parameter.dim() == 1:  # norms and biases, which would be all ones and zeros
            parameter.data += torch.randn_like(parameter) * 0.3
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    save_tokenizer(folder)
    return folder
