"""Values of another kind in config.json are named, whatever would have gone wrong with them later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from evomerge_core.errors import InputError
from evomerge_core.sources.checkpoint import read_config
from evomerge_core.sources.pretrained import read_tokenizer
from support.source_models import write_tokenizer


def write(folder: Path, **settings: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 64} | settings), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("architectures", one) for one in (1e308, "LlamaForCausalLM", [3])),
        *(("hidden_size", one) for one in ("64", 64.0, 0, -64, True, 10**30, [64], float("nan"))),
        *(("num_attention_heads", one) for one in ([4, "4"], {"x": 4})),
        *(("eos_token_id", one) for one in ("2", [2, None], 2.0, {"id": 2})),
        ("tie_word_embeddings", "true"),
        ("model_type", ["llama"]),
        ("text_config", "none"),
        *(("vocab_size", one) for one in (10**12, -5, 2**31)),
        *(("num_hidden_layers", one) for one in (2**31, 10**9, 0)),
        *(("rms_norm_eps", one) for one in (float("nan"), float("inf"), -1e-5, "x")),
        *(("rope_theta", one) for one in (float("nan"), [1e4])),
        *(("rope_parameters", one) for one in ({"rope_theta": float("inf")}, {"factor": [1.0, float("nan")]}, "x")),
        *(("sliding_window", one) for one in ("x", [0], 1.5, True)),
        *(("hidden_act", one) for one in (7, ["silu"])),
        ("head_dim", 0),
        ("dtype", 16),
    ],
)
def test_a_value_of_another_kind_is_named(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"config\.json: {key}: must be "):
        read_config(write(tmp_path, **{key: value}))


def test_a_language_models_own_settings_are_looked_at_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json: text_config\.vocab_size: must be a whole number above 0, not 'x'"):
        read_config(write(tmp_path, text_config={"vocab_size": "x"}))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2", "gemma3", "mamba", "deepseek_v3", "falcon", "phi3", "mixtral"])
def test_what_transformers_writes_is_taken(tmp_path: Path, kind: str) -> None:
    CONFIG_MAPPING[kind]().save_pretrained(tmp_path)
    assert read_config(tmp_path)["model_type"] == kind


@pytest.mark.parametrize("length", ["512", [512], {"x": 1}])
def test_a_tokenizers_length_is_a_number(tmp_path: Path, length: Any) -> None:
    write_tokenizer(tmp_path, ["<unk>", "a"], tokenizer_class="PreTrainedTokenizerFast", model_max_length=length)
    with pytest.raises(InputError, match=r"tokenizer_config\.json: model_max_length: must be a number"):
        read_tokenizer(tmp_path)
