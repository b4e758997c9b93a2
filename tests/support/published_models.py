"""Llamas whose numbers come from numpy's generator, the same everywhere, for merges with known results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor

NAMES = ("base", "a", "b", "c", "d")
LAYERS = 8


class Sizes(NamedTuple):
    """A Llama's width, the width of its MLPs, its heads and tokens."""

    width: int
    inner: int
    heads: int
    tokens: int


TINY, WIDE = Sizes(16, 24, 2, 24), Sizes(256, 384, 4, 1024)
_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": LAYERS,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}


def write_published_models(folder: Path) -> None:
    """Writes `base` and fine-tunes of it in float32, so that no two entries are equal, all with one tokenizer."""
    numbers = np.random.default_rng(0)
    base = _random(TINY, numbers, 0.1)
    for name in NAMES:
        moved = {key: value + (0 if name == "base" else numbers.normal(0, 0.02, value.shape)) for key, value in base.items()}
        _write(folder / name, TINY, {key: torch.tensor(value).float() for key, value in moved.items()})


def write_wide_models(folder: Path) -> tuple[Path, Path, Path]:
    """A base and two fine-tunes of it in bfloat16, as hubs have them, of seven million weights each; those there are kept."""
    folders = (folder / "base", folder / "first", folder / "second")
    if not folder.exists():
        numbers = np.random.default_rng(0)
        base = _random(WIDE, numbers, 0.05)
        for place in folders:
            # A fine-tune moves weights by a few hundredths of their size.
            step = 0 if place.name == "base" else 0.002
            moved = {key: value + numbers.normal(0, 1, value.shape) * step for key, value in base.items()}
            _write(place, WIDE, {key: torch.tensor(value).to(torch.bfloat16) for key, value in moved.items()})
    return folders


def _random(sizes: Sizes, numbers: np.random.Generator, spread: float) -> dict[str, np.ndarray]:
    shapes = _shapes(sizes)
    return {name: numbers.normal(1 if len(shape) == 1 else 0, spread, shape) for name, shape in shapes.items()}


def _shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    width, inner, tokens = sizes.width, sizes.inner, sizes.tokens
    layer = {
        **{f"self_attn.{name}_proj": (width, width) for name in "qkvo"},
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
        "input_layernorm": (width,),
        "post_attention_layernorm": (width,),
    }
    layers = {f"model.layers.{n}.{name}.weight": shape for n in range(LAYERS) for name, shape in layer.items()}
    ends = {"model.embed_tokens.weight": (tokens, width), "model.norm.weight": (width,), "lm_head.weight": (tokens, width)}
    return {**ends, **layers}


def _write(folder: Path, sizes: Sizes, tensors: dict[str, Tensor]) -> None:
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    own = {
        "vocab_size": sizes.tokens,
        "hidden_size": sizes.width,
        "intermediate_size": sizes.inner,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.heads,
        "head_dim": sizes.width // sizes.heads,
    }
    (folder / "config.json").write_text(json.dumps(_CONFIG | own), encoding="utf-8")
    tokens = {token: row for row, token in enumerate(("<unk>", "<s>", "</s>", *(f"w{n}" for n in range(sizes.tokens - 3))))}
    Tokenizer(WordLevel(tokens, unk_token="<unk>")).save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
