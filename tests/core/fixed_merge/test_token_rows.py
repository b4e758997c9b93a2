"""`tokenizer: {tokens: ..., pad_to_multiple_of: ...}`: mergekit's own rows, on tiny models of different vocabularies.

`tests/benchmarks/token_rows.py` made `expected.safetensors` and `tokens.json` with mergekit 0.1.5, whose ids may be other ones
than ours: rows are compared token by token.
"""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import parse_yaml
from evomerge_core.fixed_merge.mergekit import merge_in, write_mergekit
from support.merge_files import merge_text
from support.token_models import write_token_models

DATA = Path(__file__).parent / "data" / "token_rows"
FILES = sorted(file.stem for file in DATA.glob("*.yml"))
ENDS = ("model.embed_tokens.weight", "lm_head.weight")
TOKENS = json.loads((DATA / "tokens.json").read_text(encoding="utf-8"))
HEAD = "merge_method: linear\nmodels: [{model: base, parameters: {weight: 1}}, {model: a, parameters: {weight: 1}}]\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    write_token_models(folder)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_mergekits(name: str, models: Path, tmp_path: Path) -> None:
    theirs = load_file(DATA / "expected.safetensors")
    ours = merge_text(models, tmp_path / "out", (DATA / f"{name}.yml").read_text(encoding="utf-8"))
    ids = AutoTokenizer.from_pretrained(tmp_path / "out").get_vocab()
    assert ids.keys() == TOKENS[name].keys()
    order = torch.tensor([ids[token] for token in TOKENS[name]])
    count = len(order)
    for end in ENDS:
        expected = theirs[f"{name}/{end}"]
        assert ours[end].shape == expected.shape
        torch.testing.assert_close(ours[end][order], expected[list(TOKENS[name].values())], rtol=0, atol=1e-6)
        torch.testing.assert_close(ours[end][count:], expected[count:], rtol=0, atol=1e-6)
    child = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert child.config.vocab_size == len(ours[ENDS[0]])


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_written_as_it_is_read(name: str) -> None:
    text = (DATA / f"{name}.yml").read_text(encoding="utf-8")
    config = merge_in(parse_yaml(text, DATA / f"{name}.yml"))
    assert merge_in(parse_yaml(write_mergekit(config), Path("again.yml"))) == config


@pytest.mark.parametrize("source", ["base", "a"])
def test_a_new_token_may_join_any_tokenizer(source: str, models: Path, tmp_path: Path) -> None:
    """mergekit ends with a KeyError here: it forgets the new token in the tokenizer that it adds it to."""
    tokens = "{<new>: {source: {kind: model_token, model: a, token: t5}}}"
    text = f"{HEAD}dtype: float32\ntokenizer: {{source: {source}, tokens: {tokens}}}\n"
    child = merge_text(models, tmp_path / "out", text)
    row = AutoTokenizer.from_pretrained(tmp_path / "out").convert_tokens_to_ids("<new>")
    a = load_file(models / "a" / "model.safetensors")
    for end in ENDS:
        torch.testing.assert_close(child[end][row], a[end][5])


def test_tied_models_stay_tied(models: Path, tmp_path: Path) -> None:
    for name in ("base", "a"):
        copytree(models / name, tmp_path / name)
        tensors = load_file(tmp_path / name / "model.safetensors")
        del tensors["lm_head.weight"]
        save_file(tensors, tmp_path / name / "model.safetensors", metadata={"format": "pt"})
        config = json.loads((tmp_path / name / "config.json").read_text(encoding="utf-8"))
        (tmp_path / name / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}), encoding="utf-8")
    tokenizer = "tokenizer: {tokens: {<a>: {source: {kind: zero}, force: true}}, pad_to_multiple_of: 8}\n"
    child = merge_text(tmp_path, tmp_path / "out", f"{HEAD}dtype: float32\n{tokenizer}")
    assert "lm_head.weight" not in child
    base, a = (load_file(tmp_path / name / "model.safetensors")[ENDS[0]] for name in ("base", "a"))
    # t0 to t19, <base>, <both> and <a>, and one row to make it 24: what a model lacks is the other's, and <a> is zero in both
    fitted = [torch.stack([*base, a[20], a[0] * 0]), torch.stack([*a[:20], base[20], a[20], a[0] * 0])]
    means = [torch.cat([rows, rows.mean(dim=0, keepdim=True)]) for rows in fitted]
    torch.testing.assert_close(child[ENDS[0]], (means[0] + means[1]) / 2)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").config.vocab_size == 24


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        ("{tokens: [x]}", r"3: key 'tokenizer.tokens' must be a mapping"),
        ("{tokens: {t1: x}}", r"3: key 'tokenizer.tokens.t1' must be a mapping"),
        ("{tokens: {t1: {force: true}}}", r"3: key 'tokenizer.tokens.t1.source' must be a model, .* or \{kind: zero\}"),
        ("{tokens: {t1: {source: b}}}", r"3: key 'tokenizer.tokens.t1.source' is 'b', which isn't one of the merge's models"),
        ("{tokens: {t1: {source: a, forced: true}}}", r"3: key 'forced' is unknown .*did you mean 'force'"),
        ("{tokens: {t1: {source: a, force: 1}}}", r"3: key 'tokenizer.tokens.t1.force' must be true or false"),
        ("{tokens: {t1: {source: {kind: one}}}}", r"3: key 'tokenizer.tokens.t1.source.kind' is 'one'; give model_token"),
        ("{tokens: {t1: {source: {kind: zero, model: a}}}}", r"3: key 'model' is unknown in 'tokenizer.tokens.t1.source'"),
        ("{tokens: {t1: {source: {kind: model_token, model: a}}}}", r"needs one of 'token' and 'token_id'"),
        ("{tokens: {t1: {source: {kind: model_token, model: a, token_id: -1}}}}", r"token_id' must be the number of a row"),
        ("{tokens: {t1: {source: {kind: model_token, token_id: 1}}}}", r"source.model' is None, which isn't one of"),
        ("{tokens: {<z>: {source: a}}}", r"merge\.yml: tokenizer.tokens.<z>.source: a has no token '<z>'; name one of its"),
        ("{tokens: {<z>: {source: {kind: model_token, model: a, token_id: 22}}}}", r"a has no token 22; .* a row below 22"),
        ("{pad_to_multiple_of: 0}", r"3: key 'tokenizer.pad_to_multiple_of' must be a whole number from 1 to 65536"),
        ("{pad_to_multiple_of: 64.0}", r"3: key 'tokenizer.pad_to_multiple_of' must be a whole number"),
        ("{pad_to_multiple_of: 1000000000}", r"3: key 'tokenizer.pad_to_multiple_of' must be a whole number"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tokenizer: str, message: str, models: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        merge_text(models, tmp_path / "out", f"{HEAD}tokenizer: {tokenizer}\n")
