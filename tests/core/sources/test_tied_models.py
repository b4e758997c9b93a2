"""Tied embeddings: what transformers makes of one stored matrix, of two equal ones and of two that differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    OPTConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from evomerge_core.errors import InputError
from evomerge_core.merging.merge import write_merge
from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.checks.soundness import own_problems
from evomerge_core.sources.inspection import inspect
from evomerge_core.sources.source import Source, open_source, open_sources
from support.merging_models import merge_of
from support.source_models import SIZES, change_config, write_model

TIED = SIZES | {"tie_word_embeddings": True}
FAMILIES: dict[str, tuple[PreTrainedConfig, str]] = {
    "llama": (LlamaConfig(**TIED), "model.embed_tokens.weight"),
    "qwen2": (Qwen2Config(**TIED), "model.embed_tokens.weight"),
    "gemma2": (Gemma2Config(**TIED, head_dim=16), "model.embed_tokens.weight"),
    "gpt2": (GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=40, n_positions=64), "transformer.wte.weight"),
    "opt": (
        OPTConfig(
            vocab_size=40, hidden_size=32, num_hidden_layers=2, ffn_dim=48, num_attention_heads=2, word_embed_proj_dim=32
        ),
        "model.decoder.embed_tokens.weight",
    ),
}
# Families that tie where config.json doesn't say whether they do.
BY_DEFAULT = ["gemma2", "gpt2", "opt"]
HEAD = "lm_head.weight"


def write(folder: Path, family: str, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(FAMILIES[family][0]).save_pretrained(folder)
    return folder


def store(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    path = folder / "model.safetensors"
    save_file({name: tensor.clone() for name, tensor in change(load_file(path)).items()}, path, metadata={"format": "pt"})
    return folder


def under_the_heads_name(folder: Path, embedding: str) -> Path:
    return store(folder, lambda state: {HEAD if name == embedding else name: tensor for name, tensor in state.items()})


def logits(folder: Path) -> Tensor:
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return network(torch.arange(3, 15).reshape(1, -1)).logits.detach()


def opened(folder: Path) -> Source:
    return open_source(str(folder), relative_to=Path())


def problem(folder: Path) -> str:
    (line,) = [str(error) for error in own_problems(opened(folder))]
    assert "\n" not in line
    return line


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tied_matrix_under_the_heads_name_is_the_embedding(tmp_path: Path, family: str) -> None:
    _, embedding = FAMILIES[family]
    plain = write(tmp_path / "plain", family)
    folder = under_the_heads_name(write(tmp_path / "head", family), embedding)
    assert torch.equal(logits(folder), logits(plain))
    source = opened(folder)
    assert source.tied
    assert set(source.names) == set(opened(plain).names)
    stored = load_file(plain / "model.safetensors")
    assert all(torch.equal(source.read(name), stored[name]) for name in source.names)
    assert (inspect(source).tied, inspect(source).problems) == (True, ())
    assert check(opened(plain), [source]) == []


@pytest.mark.parametrize("family", BY_DEFAULT)
def test_a_family_that_ties_by_default_need_not_say_so(tmp_path: Path, family: str) -> None:
    folder = under_the_heads_name(write(tmp_path / "head", family), FAMILIES[family][1])
    assert torch.equal(logits(change_config(folder, tie_word_embeddings=...)), logits(write(tmp_path / "plain", family)))
    assert opened(folder).tied


@pytest.mark.parametrize("family", FAMILIES)
def test_a_child_of_tied_matrices_under_the_heads_name_is_that_of_plain_folders(tmp_path: Path, family: str) -> None:
    folders = {name: write(tmp_path / name, family, seed) for seed, name in enumerate(("base", "tuned"))}
    config = merge_of("task_arithmetic", {"tuned": {"weight": 0.5}}, "base")
    write_merge(tmp_path / "right", config, open_sources(folders, relative_to=tmp_path), "")
    for folder in folders.values():
        under_the_heads_name(folder, FAMILIES[family][1])
    write_merge(tmp_path / "child", config, open_sources(folders, relative_to=tmp_path), "")
    right, child = (load_file(tmp_path / name / "model.safetensors") for name in ("right", "child"))
    assert right.keys() == child.keys()
    assert all(torch.equal(child[name], tensor) for name, tensor in right.items())
    assert torch.equal(logits(tmp_path / "child"), logits(tmp_path / "right"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("stated", [True, ...])
def test_two_equal_matrices_are_one_tied(tmp_path: Path, dtype: torch.dtype, stated: object) -> None:
    folder = change_config(
        write_model(tmp_path / "m", dtype=torch.float16, tie_word_embeddings=True), tie_word_embeddings=stated
    )
    store(folder, lambda state: state | {HEAD: state["model.embed_tokens.weight"].to(dtype)})
    assert opened(folder).tied
    assert own_problems(opened(folder)) == []


def test_two_equal_matrices_are_two_where_the_config_says_so(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    store(folder, lambda state: state | {HEAD: state["model.embed_tokens.weight"]})
    assert not opened(folder).tied
    assert HEAD in opened(folder).names


def test_a_copy_that_was_saved_as_untied_merges_as_the_refusal_says(tmp_path: Path) -> None:
    base, untied = (write_model(tmp_path / name, tie_word_embeddings=True) for name in ("base", "untied"))
    store(untied, lambda state: state | {HEAD: state["model.embed_tokens.weight"]})
    change_config(untied, tie_word_embeddings=False)
    for one, other in ((base, untied), (untied, base)):
        (line,) = [str(error) for error in check(opened(one), [opened(other)])]
        assert f"set it to true in {untied / 'config.json'}, since lm_head.weight there is a copy" in line
    change_config(untied, tie_word_embeddings=True)
    assert check(opened(base), [opened(untied)]) == []


def test_two_matrices_that_differ_are_two_whatever_the_config_says(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    expected = logits(folder)
    change_config(folder, tie_word_embeddings=True)
    assert torch.equal(logits(folder), expected)
    assert not opened(folder).tied
    assert inspect(opened(folder)).tied is False
    line = problem(folder)
    assert f"{folder / 'config.json'}: tie_word_embeddings is true, but lm_head.weight differs" in line
    assert "transformers keeps both; set it to false" in line


@pytest.mark.parametrize("stated", [False, ...])
def test_a_head_without_an_embedding_is_named_where_nothing_ties_them(tmp_path: Path, stated: object) -> None:
    folder = under_the_heads_name(write(tmp_path / "m", "llama"), "model.embed_tokens.weight")
    change_config(folder, tie_word_embeddings=stated)
    _, loading = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert loading["missing_keys"] == {"model.embed_tokens.weight"}
    assert "lm_head.weight is stored without an embedding, and tie_word_embeddings is not true" in problem(folder)


def test_an_embedding_without_a_head_is_named_where_nothing_ties_them(tmp_path: Path) -> None:
    folder = change_config(write(tmp_path / "m", "gpt2"), tie_word_embeddings=False)
    _, loading = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert loading["missing_keys"] == {HEAD}
    assert "tie_word_embeddings is false, but there is no lm_head.weight" in problem(folder)


def sharded(folder: Path, listed: str, twin: str) -> Path:
    """The folder with an index that also lists `listed`, in the shard of `twin`."""
    weight_map = dict.fromkeys(load_file(folder / "model.safetensors"), "all.safetensors")
    (folder / "model.safetensors").rename(folder / "all.safetensors")
    index = {"metadata": {}, "weight_map": weight_map | {listed: weight_map[twin]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_an_index_may_list_the_other_name_of_a_tied_matrix(tmp_path: Path) -> None:
    embedding = "model.embed_tokens.weight"
    expected = logits(write(tmp_path / "plain", "llama"))
    plain = sharded(write(tmp_path / "embedding", "llama"), HEAD, embedding)
    head = sharded(under_the_heads_name(write(tmp_path / "head", "llama"), embedding), embedding, HEAD)
    for folder in (plain, head):
        assert torch.equal(logits(folder), expected)
        assert opened(folder).tied
        assert embedding in opened(folder).names


@pytest.mark.parametrize("name", [HEAD, "model.embed_tokens.weight"])
def test_an_index_may_not_list_what_is_no_ones_twin(tmp_path: Path, name: str) -> None:
    folder = write_model(tmp_path / "m")
    store(folder, lambda state: {key: tensor for key, tensor in state.items() if key != name})
    sharded(folder, name, "model.norm.weight")
    with pytest.raises(InputError, match=f"{name} is listed in all.safetensors, which doesn't hold it"):
        opened(folder)
