"""Tiny random models and tokenizers, written by transformers and tokenizers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 40,
    "max_position_embeddings": 128,
    "tie_word_embeddings": False,
}


def write_model(
    folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float32, shard: str = "1GB", **settings: Any
) -> Path:
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**(SIZES | settings))).to(dtype)
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


def write_tokenizer(folder: Path, tokens: Sequence[str], **special: str) -> Path:
    Tokenizer(WordLevel({token: row for row, token in enumerate(tokens)}, unk_token=tokens[0])).save(
        str(folder / "tokenizer.json")
    )
    (folder / "tokenizer_config.json").write_text(json.dumps(special), encoding="utf-8")
    return folder


def change_config(folder: Path, **settings: Any) -> Path:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | settings
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}), encoding="utf-8")
    return folder
