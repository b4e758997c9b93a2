"""What transformers reads of a folder: natively known models whatever else they name, and one line for all others."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models
from transformers import LlamaConfig

from evomerge_core.errors import InputError
from evomerge_core.sources.pretrained import knows_tokenizer, read_config, read_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    LlamaConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=2).save_pretrained(tmp_path)
    Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    write(tmp_path, "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    return tmp_path


def write(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | changes))


def test_a_known_model_that_names_code_is_read_natively(folder: Path) -> None:
    write(folder, "config.json", auto_map={"AutoConfig": "owner/name--code.Config", "AutoModelForCausalLM": "code.Model"})
    write(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["owner/name--code.Slow", None]})
    config = read_config(folder)
    assert (type(config), hasattr(config, "auto_map")) == (LlamaConfig, False)
    assert read_tokenizer(folder).encode("b") == [1]


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "experts_implementation"])
def test_kernels_from_the_hub_are_left_out(key: str, folder: Path) -> None:
    write(folder, "config.json", **{key: "owner/kernel"})
    config = read_config(folder)
    assert "owner/kernel" not in (config._attn_implementation, config._experts_implementation)


def test_a_tokenizer_that_is_code_is_refused(folder: Path) -> None:
    write(folder, "tokenizer_config.json", tokenizer_class="Own", auto_map={"AutoTokenizer": [None, "code.Fast"]})
    with pytest.raises(InputError, match=r"tokenizer_config\.json: auto_map: code\.Fast is Python of the model's own"):
        read_tokenizer(folder)


def test_a_config_that_is_code_is_refused(folder: Path) -> None:
    write(folder, "config.json", model_type="own", auto_map={"AutoConfig": "owner/name--code.Config"})
    with pytest.raises(InputError, match=r"config\.json: auto_map: owner/name--code\.Config is Python of the model's own"):
        read_config(folder)


@pytest.mark.parametrize("named", ["code.Own", ["code.Own"], {"AutoTokenizer": "code.Own"}, {"AutoTokenizer": 7}, []])
def test_an_auto_map_of_another_form_gives_a_tokenizer_or_one_line(named: object, folder: Path) -> None:
    write(folder, "tokenizer_config.json", tokenizer_class="Own", auto_map=named)
    with contextlib.suppress(InputError):
        assert read_tokenizer(folder).encode("b") == [1]


def test_a_broken_tokenizer_is_distinguished_from_code(folder: Path) -> None:
    write(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["code.Slow", None]})
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="transformers can't read the tokenizer"):
        read_tokenizer(folder)


@pytest.mark.parametrize(("name", "known"), [("LlamaTokenizerFast", True), ("Qwen2Tokenizer", True), ("QWenTokenizer", False)])
def test_whether_transformers_has_a_tokenizer(name: str, known: bool) -> None:
    assert knows_tokenizer({"tokenizer_class": name}, {}) is known
