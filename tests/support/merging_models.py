"""Tiny random models, written by transformers and peft, and merges of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM

from evomerge_core.merging.config import MergeConfig, Parameters, Scalar, Setting, Slice, SliceSource

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}


def write_base(folder: Path, dtype: torch.dtype = torch.bfloat16, **settings: Any) -> Path:
    """A random model with a tokenizer, a chat template, a generation config and a card."""
    torch.manual_seed(1)
    LlamaForCausalLM(LlamaConfig(**(SIZES | settings))).to(dtype).save_pretrained(folder)
    tokens = {f"t{row}": row for row in range(300)}
    Tokenizer(WordLevel(tokens, unk_token="t0")).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "t1"}), encoding="utf-8")
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: en\n---\nA model.\n", encoding="utf-8")
    return folder


def write_fine_tune(base: Path, folder: Path, seed: int, dtype: torch.dtype = torch.bfloat16, size: float = 0.02) -> Path:
    """The base with noise of standard deviation `size` on every tensor."""
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += size * torch.randn(parameter.shape, generator=noise)
    model.to(dtype).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: [ja, en]\n---\n", encoding="utf-8")
    return folder


def write_adapter(base: Path, folder: Path, seed: int, rank: int = 6) -> Path:
    """A random LoRA adapter on all linear layers."""
    torch.manual_seed(seed)
    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(LlamaForCausalLM.from_pretrained(base, dtype=torch.float32), settings).save_pretrained(folder)
    return folder


def setting(value: Any) -> tuple[Setting, ...]:
    """A number, a list (gradient), or a mapping from filter ('' for none) to either."""
    if isinstance(value, Mapping):
        return tuple(Setting(_values(one), name or None) for name, one in value.items())
    return (Setting(_values(value)),)


def _values(value: Scalar | Sequence[Scalar]) -> tuple[Scalar, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)  # type: ignore[arg-type]


def parameters(**values: Any) -> Parameters:
    return {name.rstrip("_"): setting(value) for name, value in values.items()}


def merge_of(
    method: str, models: Mapping[str, Mapping[str, Any]], base: str | None = None, seed: int = 0, **shared: Any
) -> MergeConfig:
    """One slice of whole models, each with its parameters."""
    sources = tuple(SliceSource(model, None, parameters(**own)) for model, own in models.items())
    return MergeConfig(method, (Slice(sources),), base, parameters(**shared), seed=seed)
