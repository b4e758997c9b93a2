"""`tokenizer: union` by the rule of mergekit, by hand: what a model lacks is the row of the base, or what the others have.

The child is read by transformers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from evomerge_core.fixed_merge.merge_from_file import merge_from_file

BASE = [f"t{row}" for row in range(40)]
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def write(folder: Path, seed: int, added: list[str], *, tied: bool = False) -> None:
    """A model whose tokenizer has the base's words and, at the end, tokens of its own."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    settings = LlamaConfig(**sizes, vocab_size=len(BASE) + len(added), tie_word_embeddings=tied, bos_token_id=1, eos_token_id=2)
    LlamaForCausalLM(settings).float().save_pretrained(folder)
    tokenizer = Tokenizer(WordLevel({token: row for row, token in enumerate(BASE)}, unk_token="t0"))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in added])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "t2", "bos_token": "t1"}), encoding="utf-8"
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("union")
    write(folder / "base", 0, ["<base>"])
    write(folder / "a", 1, ["<both>", "<a>"])
    write(folder / "b", 2, ["<b>", "<both>"])
    return folder


def merged(models: Path, out: Path, text: str) -> dict[str, Tensor]:
    (models / "merge.yml").write_text(text, encoding="utf-8")
    merge_from_file(models / "merge.yml", out)
    return load_file(out / "model.safetensors")


ARITHMETIC = """\
merge_method: task_arithmetic
base_model: base
models:
  - {model: a, parameters: {weight: 0.5}}
  - {model: b, parameters: {weight: 0.25}}
dtype: float32
out_dtype: float32
tokenizer_source: union
"""


def test_every_token_of_every_model_has_a_row(models: Path, tmp_path: Path) -> None:
    child = merged(models, tmp_path / "out", ARITHMETIC)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    wanted = {"<base>": 40, "<both>": 41, "<a>": 42, "<b>": 43}
    assert {token: tokenizer.convert_tokens_to_ids(token) for token in wanted} == wanted
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").config.vocab_size == 44
    for name in (EMBEDDING, HEAD):
        base, a, b = (load_file(models / model / "model.safetensors")[name] for model in ("base", "a", "b"))
        rows = {
            "t7": (base[7], a[7], b[7]),
            # a and b lack it: the base's row.
            "<base>": (base[40], base[40], base[40]),
            # The base lacks it: the mean of those who have it.
            "<both>": ((a[40] + b[41]) / 2, a[40], b[41]),
            "<a>": (a[41], a[41], a[41]),
            "<b>": (b[40], b[40], b[40]),
        }
        assert child[name].shape == (44, 16)
        for token, (of_base, of_a, of_b) in rows.items():
            expected = of_base + 0.5 * (of_a - of_base) + 0.25 * (of_b - of_base)
            torch.testing.assert_close(child[name][tokenizer.convert_tokens_to_ids(token)], expected, rtol=1e-5, atol=1e-6)


def test_without_a_base_what_a_model_lacks_is_the_mean_of_the_others(models: Path, tmp_path: Path) -> None:
    text = "merge_method: linear\nmodels: [{model: base}, {model: a}, {model: b}]\nparameters: {weight: 1}\ntokenizer: {}\n"
    child = merged(models, tmp_path / "out", text + "dtype: float32\nout_dtype: float32\n")
    base, a, b = (load_file(models / model / "model.safetensors")[EMBEDDING] for model in ("base", "a", "b"))
    torch.testing.assert_close(child[EMBEDDING][7], (base[7] + a[7] + b[7]) / 3)
    torch.testing.assert_close(child[EMBEDDING][40], base[40])
    torch.testing.assert_close(child[EMBEDDING][41], (a[40] + b[41]) / 2)


def test_models_that_tie_their_ends_stay_tied(tmp_path: Path) -> None:
    write(tmp_path / "base", 0, [], tied=True)
    write(tmp_path / "a", 1, ["<a>"], tied=True)
    write(tmp_path / "b", 2, [], tied=True)
    child = merged(tmp_path, tmp_path / "out", ARITHMETIC)
    assert HEAD not in child
    assert child[EMBEDDING].shape == (41, 16)
    a = load_file(tmp_path / "a" / "model.safetensors")[EMBEDDING]
    torch.testing.assert_close(child[EMBEDDING][40], a[40])
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").config.vocab_size == 41


def test_tokenizers_that_are_the_same_stay_the_bases(tmp_path: Path) -> None:
    for seed, name in enumerate(("base", "a", "b")):
        write(tmp_path / name, seed, ["<x>"])
    union = merged(tmp_path, tmp_path / "union", ARITHMETIC)
    plain = merged(tmp_path, tmp_path / "plain", ARITHMETIC.replace("union", "base"))
    assert all(torch.equal(union[name], plain[name]) for name in plain)
    assert (tmp_path / "union" / "tokenizer.json").read_bytes() == (tmp_path / "base" / "tokenizer.json").read_bytes()


def test_rows_without_a_token_are_no_tokens(tmp_path: Path) -> None:
    """A base that is padded to a round number of rows."""
    for seed, name in enumerate(("base", "a", "b")):
        write(tmp_path / name, seed, [] if name == "base" else ["<x>"])
    file = tmp_path / "base" / "model.safetensors"
    stored = load_file(file)
    padded = {key: torch.cat([one, torch.ones(8, 16)]) if key in (EMBEDDING, HEAD) else one for key, one in stored.items()}
    save_file(padded, file, metadata={"format": "pt"})
    config = tmp_path / "base" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text(encoding="utf-8")) | {"vocab_size": 48}), encoding="utf-8")
    child = merged(tmp_path, tmp_path / "out", ARITHMETIC)
    a, b = (load_file(tmp_path / name / "model.safetensors")[EMBEDDING][40] for name in ("a", "b"))
    mean = (a + b) / 2
    torch.testing.assert_close(child[EMBEDDING][40], mean + 0.5 * (a - mean) + 0.25 * (b - mean))
