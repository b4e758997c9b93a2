"""Model folders: what transformers and safetensors read back, and that a failure leaves nothing."""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig, Slice, SliceSource
from evomerge_core.merging.merge import make_engine, model_files, write_merge
from evomerge_core.merging.model_folder.folder import ModelFiles, write_model
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.sources.source import Source, open_sources
from support.merging_models import merge_of, parameters, write_base

Sources = Mapping[str, Source]
HALVES = merge_of("linear", {"first": {"weight": 0.5}, "second": {"weight": 0.5}})
RECIPE = "merge_method: linear\n"


def state(folder: Path) -> dict[str, Tensor]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    return dict(model.state_dict())


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stream_of(config: MergeConfig, sources: Sources) -> tuple[Iterator[tuple[str, Tensor]], ModelFiles]:
    plan = make_plan(config, sources)
    return make_engine(config, sources).stream(plan), model_files(config, plan, sources, RECIPE)


def test_transformers_loads_the_mean_of_two_models(sources: Sources, models: Path, tmp_path: Path) -> None:
    write_merge(tmp_path / "child", HALVES, sources, RECIPE)
    child, first, second = (state(folder) for folder in (tmp_path / "child", models / "first", models / "second"))
    assert child.keys() == first.keys()
    for name, tensor in child.items():
        assert tensor.dtype == torch.bfloat16
        torch.testing.assert_close(tensor, ((first[name].float() + second[name].float()) / 2).bfloat16(), rtol=0, atol=0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "child")
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()


def test_the_folder_is_complete(sources: Sources, models: Path, tmp_path: Path) -> None:
    config = replace(merge_of("task_arithmetic", {"first": {"weight": 0.5}}, "base"), out_dtype="float16")
    write_merge(tmp_path / "child", config, sources, RECIPE)
    assert AutoTokenizer.from_pretrained(tmp_path / "child").decode([7]) == "t7"
    assert AutoTokenizer.from_pretrained(tmp_path / "child").chat_template == "{{ messages }}"
    for name in ("generation_config.json", "tokenizer.json"):
        assert (tmp_path / "child" / name).read_bytes() == (models / "base" / name).read_bytes()
    stored = json.loads((tmp_path / "child" / "config.json").read_text())
    assert (stored["dtype"], stored["tie_word_embeddings"]) == ("float16", True)
    assert state(tmp_path / "child")["model.norm.weight"].dtype == torch.float16
    assert (tmp_path / "child" / "mergekit_config.yml").read_text() == RECIPE


def test_the_same_merge_gives_the_same_bytes(sources: Sources, tmp_path: Path) -> None:
    write_merge(tmp_path / "one", HALVES, sources, RECIPE)
    write_merge(tmp_path / "two", HALVES, sources, RECIPE)
    assert written(tmp_path / "one") == written(tmp_path / "two")


def test_shards_hold_everything_once_and_no_more_than_asked(sources: Sources, tmp_path: Path) -> None:
    stream, files = stream_of(HALVES, sources)
    write_model(tmp_path / "child", stream, files, shard_bytes=100_000)
    shards = sorted((tmp_path / "child").glob("*.safetensors"))
    assert len(shards) > 2
    names = [f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    assert [shard.name for shard in shards] == names
    index = json.loads((tmp_path / "child" / "model.safetensors.index.json").read_text())
    held = {name: shard.name for shard in shards for name in load_file(shard)}
    assert index["weight_map"] == held
    sizes = [sum(tensor.nbytes for tensor in load_file(shard).values()) for shard in shards]
    assert max(sizes) <= 100_000
    assert index["metadata"]["total_size"] == sum(sizes)
    write_merge(tmp_path / "single", HALVES, sources, RECIPE)
    single = load_file(tmp_path / "single" / "model.safetensors")
    sharded = state(tmp_path / "child")
    assert all(torch.equal(tensor, sharded[name]) for name, tensor in single.items())


def test_a_frankenmerge_runs_with_its_layers(sources: Sources, models: Path, tmp_path: Path) -> None:
    slices = (Slice((SliceSource("first", (0, 2)),)), Slice((SliceSource("second", (1, 3)),)))
    write_merge(tmp_path / "child", MergeConfig("passthrough", slices), sources, RECIPE)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "child")
    assert len(model.model.layers) == model.config.num_hidden_layers == 4
    assert model(torch.tensor([[1, 2, 3]])).logits.isfinite().all()
    child, second = state(tmp_path / "child"), state(models / "second")
    assert torch.equal(child["model.layers.3.mlp.up_proj.weight"], second["model.layers.2.mlp.up_proj.weight"])


def test_lists_with_an_entry_per_layer_follow_the_layers(tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    kinds = ["full_attention", "sliding_attention", "chunked_attention"]
    config |= {"layer_types": kinds, "torch_dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config))
    sources = open_sources(["base"], relative_to=tmp_path)
    slices = (Slice((SliceSource("base", (0, 2)),)), Slice((SliceSource("base", (1, 3)),)))
    _, files = stream_of(MergeConfig("passthrough", slices), sources)
    assert (files.config["layer_types"], files.config["num_hidden_layers"]) == ([*kinds[:2], *kinds[1:]], 4)
    assert "torch_dtype" not in files.config


def test_an_untied_model_unties_the_child(models: Path, tmp_path: Path) -> None:
    write_base(tmp_path / "untied", tie_word_embeddings=False)
    references = [str(models / "base"), str(tmp_path / "untied")]
    sources = open_sources(references, relative_to=tmp_path)
    config = merge_of("linear", {reference: {"weight": 0.5} for reference in references})
    write_merge(tmp_path / "child", config, sources, RECIPE)
    child, tied, untied = state(tmp_path / "child"), state(models / "base"), state(tmp_path / "untied")
    head = (tied["model.embed_tokens.weight"].float() + untied["lm_head.weight"].float()) / 2
    assert torch.equal(child["lm_head.weight"], head.bfloat16())
    assert not torch.equal(child["lm_head.weight"], child["model.embed_tokens.weight"])
    assert not AutoModelForCausalLM.from_pretrained(tmp_path / "child").config.tie_word_embeddings


@pytest.mark.parametrize(
    ("wanted", "expected"), [(None, "{{ messages }}"), ("{{ own }}", "{{ own }}"), ("auto", "other"), ("second", "other")]
)
def test_the_chat_template_is_the_one_asked_for(models: Path, tmp_path: Path, wanted: str | None, expected: str) -> None:
    for name in ("base", "first", "second"):
        shutil.copytree(models / name, tmp_path / name)
    for name in ("first", "second"):
        settings = {"chat_template": [{"name": "default", "template": "other"}, {"name": "rag", "template": "no"}]}
        (tmp_path / name / "tokenizer_config.json").write_text(json.dumps(settings))
    sources = open_sources(["base", "first", "second"], relative_to=tmp_path)
    config = merge_of("task_arithmetic", {"first": {"weight": 0.5}, "second": {"weight": 0.5}}, "base")
    write_merge(tmp_path / "child", replace(config, chat_template=wanted), sources, RECIPE)
    assert AutoTokenizer.from_pretrained(tmp_path / "child").chat_template == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chat_template": "alpaca"}, "chat_template: 'alpaca' is neither"),
        ({"chat_template": "first"}, "chat_template: first has no template"),
        ({"tokenizer": "union"}, "tokenizer_source: 'union' is neither base nor one of the models"),
    ],
)
def test_a_template_or_tokenizer_that_is_not_there_is_refused(
    sources: Sources, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    config = replace(HALVES, **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        write_merge(tmp_path / "child", config, sources, RECIPE)
    assert list(tmp_path.iterdir()) == []


def test_the_card_names_models_licence_languages_and_recipe(sources: Sources, tmp_path: Path) -> None:
    config = merge_of("task_arithmetic", {"first": {"weight": 0.5}}, "base")
    write_merge(tmp_path / "child", config, sources, "merge_method: task_arithmetic\nbase_model: base\n")
    _, front, text = (tmp_path / "child" / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["base_model"] == ["base", "first"]
    assert {"merge", "mergekit", "evomerge"} <= set(head["tags"])
    assert (head["license"], head["language"]) == ("mit", ["en", "ja"])
    assert "```yaml\nmerge_method: task_arithmetic\nbase_model: base\n```" in text


def test_the_card_gives_no_licence_where_one_is_unknown(sources: Sources, tmp_path: Path) -> None:
    config = MergeConfig("task_arithmetic", (Slice((SliceSource("base+lora"),), parameters(weight=1.0)),), "base")
    write_merge(tmp_path / "child", config, sources, RECIPE)
    _, front, text = (tmp_path / "child" / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["base_model"] == ["base", "lora"]
    assert "license" not in head
    assert "- base (licence: mit)" in text
    assert "- lora (licence: see its own card)" in text


def test_a_folder_that_holds_something_is_left_alone(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "child").mkdir()
    (tmp_path / "child" / "notes").write_text("mine")
    with pytest.raises(InputError, match="child: is not empty"):
        write_merge(tmp_path / "child", HALVES, sources, RECIPE)
    assert written(tmp_path / "child") == {"notes": b"mine"}
    with pytest.raises(InputError, match="notes: is a file"):
        write_merge(tmp_path / "child" / "notes", HALVES, sources, RECIPE)


def test_an_empty_folder_is_filled(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "child").mkdir()
    write_merge(tmp_path / "child", HALVES, sources, RECIPE)
    assert (tmp_path / "child" / "model.safetensors").is_file()


def test_too_small_a_disk_is_reported_before_anything_is_merged(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=12_000_000))
    _, files = stream_of(HALVES, sources)

    def unwanted() -> Iterator[tuple[str, Tensor]]:
        raise AssertionError("merged all the same")
        yield

    with pytest.raises(InputError, match=r"no space left: 0\.\d\d GB needed, 0\.01 GB free"):
        write_model(tmp_path / "child", unwanted(), files)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), InputError),
        (OSError(errno.EIO, "Input/output error"), OSError),
        (RuntimeError("stopped"), RuntimeError),
    ],
)
def test_a_failure_on_the_way_leaves_nothing(
    sources: Sources, tmp_path: Path, error: Exception, expected: type[Exception]
) -> None:
    stream, files = stream_of(HALVES, sources)

    def failing() -> Iterator[tuple[str, Tensor]]:
        yield next(stream)
        raise error

    with pytest.raises(expected) as caught:
        write_model(tmp_path / "child", failing(), files)
    if expected is InputError:
        assert re.search(r" is full: \S+child needs about \d+ kB; free some space, then try again", str(caught.value))
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writers_leftovers_do_not_get_into_the_model(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / ".child.part").mkdir()
    (tmp_path / ".child.part" / "model-00001-of-00009.safetensors").write_bytes(b"half")
    write_merge(tmp_path / "child", HALVES, sources, RECIPE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["child"]
    assert [path.name for path in (tmp_path / "child").glob("*.safetensors")] == ["model.safetensors"]


def test_a_child_names_no_code_that_transformers_does_without(models: Path, tmp_path: Path) -> None:
    place = tmp_path / "models"
    shutil.copytree(models, place)
    for name, loader in (("config.json", "AutoModelForCausalLM"), ("tokenizer_config.json", "AutoTokenizer")):
        path = place / "base" / name
        settings = json.loads(path.read_text()) | {"auto_map": {loader: "owner/name--code.Class"}, "attn_implementation": "a/b"}
        path.write_text(json.dumps(settings))
    (place / "base" / "code.py").write_text("raise SystemExit\n")
    config = merge_of("linear", {"base": {"weight": 0.5}, "second": {"weight": 0.5}})
    write_merge(tmp_path / "child", config, open_sources(["base", "second"], relative_to=place), RECIPE)
    assert not list((tmp_path / "child").glob("*.py"))
    assert "auto_map" not in json.loads((tmp_path / "child" / "tokenizer_config.json").read_text())
    assert json.loads((tmp_path / "child" / "config.json").read_text()).keys().isdisjoint(("auto_map", "attn_implementation"))
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "child", trust_remote_code=False).config.model_type == "llama"


def test_a_child_of_a_model_that_is_code_keeps_it(sources: Sources, models: Path, tmp_path: Path) -> None:
    """It is never run here; but without it nobody could read the child."""
    stream, files = stream_of(HALVES, sources)
    shutil.copytree(models / "base", tmp_path / "own")
    (tmp_path / "own" / "code.py").write_text("raise SystemExit\n")
    own = {"model_type": "own", "auto_map": {"AutoConfig": "code.Config"}}
    config = {**files.config, **own}
    write_model(tmp_path / "child", stream, replace(files, config=config, model_folder=tmp_path / "own"))
    assert json.loads((tmp_path / "child" / "config.json").read_text())["auto_map"] == own["auto_map"]
    assert (tmp_path / "child" / "code.py").read_text() == "raise SystemExit\n"
