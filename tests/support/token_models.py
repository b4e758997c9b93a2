"""Llamas with one vocabulary and tokens of their own at its end, whose numbers come from numpy's generator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel

WORDS = tuple(f"t{row}" for row in range(20))
# b is padded: its table has three rows more than its tokenizer has tokens.
ADDED = {"base": ("<base>",), "a": ("<both>", "<a>"), "b": ("<b>", "<both>")}
_PADDING = {"b": 3}
_WIDTH, _INNER = 8, 12


def write_token_models(folder: Path) -> None:
    """Writes `base`, `a` and `b` in float32, embedding and head apart."""
    numbers = np.random.default_rng(7)
    for name, added in ADDED.items():
        rows = len(WORDS) + len(added) + _PADDING.get(name, 0)
        _write_model(folder / name, rows, numbers)
        tokenizer = Tokenizer(WordLevel({token: row for row, token in enumerate(WORDS)}, unk_token="t0"))
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in added])
        tokenizer.save(str(folder / name / "tokenizer.json"))
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "t1", "eos_token": "t2"}
        (folder / name / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _write_model(folder: Path, rows: int, numbers: np.random.Generator) -> None:
    layer = {
        "self_attn.q_proj": (_WIDTH, _WIDTH),
        "self_attn.k_proj": (_WIDTH, _WIDTH),
        "self_attn.v_proj": (_WIDTH, _WIDTH),
        "self_attn.o_proj": (_WIDTH, _WIDTH),
        "mlp.gate_proj": (_INNER, _WIDTH),
        "mlp.up_proj": (_INNER, _WIDTH),
        "mlp.down_proj": (_WIDTH, _INNER),
        "input_layernorm": (_WIDTH,),
        "post_attention_layernorm": (_WIDTH,),
    }
    shapes = {f"model.layers.0.{part}.weight": shape for part, shape in layer.items()}
    shapes |= {"model.embed_tokens.weight": (rows, _WIDTH), "lm_head.weight": (rows, _WIDTH), "model.norm.weight": (_WIDTH,)}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": _WIDTH,
        "intermediate_size": _INNER,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": rows,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float32",
    }
    folder.mkdir(parents=True)
    tensors = {name: torch.tensor(numbers.normal(0, 1, shape)).float() for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
