"""Published models as a hub shows them before a download: configs, tensor shapes, tokenizers; no weights."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM

from support.loopback_hub import File, Sparse, safetensors_file


def _family(kind: str, sizes: str, **settings: Any) -> dict[str, Any]:
    """A config; `sizes` are width, inner width, layers, heads, heads of keys, rows, base of RoPE."""
    names = (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "vocab_size",
    )
    *numbers, theta = sizes.split()
    architecture = {"qwen2": "Qwen2", "qwen3": "Qwen3", "mistral": "Mistral", "llama": "Llama"}[kind]
    return {
        "model_type": kind,
        "architectures": [f"{architecture}ForCausalLM"],
        **dict(zip(names, map(int, numbers), strict=True)),
        "rope_theta": float(theta),
        "tie_word_embeddings": kind.startswith("qwen"),
        "max_position_embeddings": 32768,
        **settings,
    }


FAMILIES: dict[str, dict[str, Any]] = {
    "qwen2.5-0.5b": _family("qwen2", "896 4864 24 14 2 151936 1e6"),
    "qwen2.5-1.5b": _family("qwen2", "1536 8960 28 12 2 151936 1e6"),
    "qwen2.5-3b": _family("qwen2", "2048 11008 36 16 2 151936 1e6"),
    "mistral-7b": _family("mistral", "4096 14336 32 32 8 32000 1e4"),
    "llama-3.1-8b": _family("llama", "4096 14336 32 32 8 128256 5e5"),
    "qwen3-4b": _family("qwen3", "2560 9728 36 32 8 151936 5e6", head_dim=128),
}
TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}<|assistant|>"


def hub_model(family: str, *, licence: str | None = "apache-2.0", chat: bool = True, pickled: bool = False) -> dict[str, File]:
    """The files of a model of a family: safetensors of zeros, or pickles of the same size."""
    weights = _weights(family)
    files: dict[str, File] = {
        "config.json": json.dumps({**FAMILIES[family], "bos_token_id": 1, "eos_token_id": 2}).encode(),
        "tokenizer.json": _tokenizer(),
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w2", **({"chat_template": TEMPLATE} if chat else {})}
        ).encode(),
        ("pytorch_model.bin" if pickled else "model.safetensors"): Sparse(b"PK", weights.size) if pickled else weights,
    }
    return {**files, "README.md": f"---\nlicense: {licence}\n---\n# A model\n".encode()} if licence else files


@lru_cache(maxsize=8)
def _weights(family: str) -> Sparse:
    settings = dict(FAMILIES[family])
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if settings["tie_word_embeddings"]:
        shapes.pop("lm_head.weight", None)
    return safetensors_file(shapes)


def _tokenizer() -> bytes:
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(500)}, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str().encode()
