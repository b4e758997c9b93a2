"""Tiny random models of several families, saved as Hugging Face saves them, with a tokenizer of one word a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

WORDS = 300
# Many end tokens, so that a random model's answers end at different lengths.
ENDS = list(range(2, 22))
_SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": ENDS,
}
FAMILIES: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaConfig(**_SIZES, tie_word_embeddings=False),
    "llama-tied": lambda: LlamaConfig(**_SIZES, tie_word_embeddings=True),
    "qwen2": lambda: Qwen2Config(**_SIZES, tie_word_embeddings=False),
    "mistral-window": lambda: MistralConfig(**_SIZES, sliding_window=6, tie_word_embeddings=False),
    "gemma2": lambda: Gemma2Config(**_SIZES, sliding_window=6, query_pre_attn_scalar=16),
    "granite": lambda: GraniteConfig(**_SIZES, logits_scaling=3.0),
    "cohere": lambda: CohereConfig(**{k: v for k, v in _SIZES.items() if k != "head_dim"}, logit_scale=0.3),
    "gpt-neox": lambda: GPTNeoXConfig(**{k: v for k, v in _SIZES.items() if k not in ("head_dim", "num_key_value_heads")}),
}


def make_folder(parent: Path, family: str = "llama-tied", seed: int = 0, **sizes: int) -> Path:
    """Saves a random model, fp32; `sizes` replace the config's."""
    folder = parent / f"{family}-{seed}"
    torch.manual_seed(seed)
    config = FAMILIES[family]()
    for key, value in sizes.items():
        setattr(config, key, value)
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder: Path) -> None:
    """One word a token: `w0` to `w299`; `w2` ends an answer."""
    vocabulary = {f"w{i}": i for i in range(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "w2"}))
