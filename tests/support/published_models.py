"""Four tiny Llamas whose numbers come from numpy's generator, the same everywhere, for merges with known results."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor

NAMES = ("base", "a", "b", "c", "d")
LAYERS = 8
WIDTH, INNER, HEADS, TOKENS = 16, 24, 2, 24
_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": TOKENS,
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "head_dim": WIDTH // HEADS,
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
    shapes = _shapes()
    numbers = np.random.default_rng(0)
    base = {name: numbers.normal(1 if len(shape) == 1 else 0, 0.1, shape) for name, shape in shapes.items()}
    for name in NAMES:
        moved = {key: value + (0 if name == "base" else numbers.normal(0, 0.02, value.shape)) for key, value in base.items()}
        _write(folder / name, {key: torch.tensor(value).float() for key, value in moved.items()})


def _shapes() -> dict[str, tuple[int, ...]]:
    layer = {
        "self_attn.q_proj": (WIDTH, WIDTH),
        "self_attn.k_proj": (WIDTH, WIDTH),
        "self_attn.v_proj": (WIDTH, WIDTH),
        "self_attn.o_proj": (WIDTH, WIDTH),
        "mlp.gate_proj": (INNER, WIDTH),
        "mlp.up_proj": (INNER, WIDTH),
        "mlp.down_proj": (WIDTH, INNER),
        "input_layernorm": (WIDTH,),
        "post_attention_layernorm": (WIDTH,),
    }
    layers = {f"model.layers.{n}.{name}.weight": shape for n in range(LAYERS) for name, shape in layer.items()}
    ends = {"model.embed_tokens.weight": (TOKENS, WIDTH), "model.norm.weight": (WIDTH,), "lm_head.weight": (TOKENS, WIDTH)}
    return {**ends, **layers}


def _write(folder: Path, tensors: dict[str, Tensor]) -> None:
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(_CONFIG), encoding="utf-8")
    tokens = {token: row for row, token in enumerate(("<unk>", "<s>", "</s>", *(f"w{n}" for n in range(TOKENS - 3))))}
    Tokenizer(WordLevel(tokens, unk_token="<unk>")).save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
