"""The child of a path on disk: an ordinary model folder, whose tensors are its hops' with the scales folded in."""

from __future__ import annotations

import json
from pathlib import Path as Folder

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, Olmo2Config

from evomerge_core.errors import InputError
from evomerge_core.fixed_merge.fixed_merge import fixed_layers, fixed_shapes
from evomerge_core.merging.config import MergeConfig, Setting, Slice, SliceSource
from evomerge_core.merging.merge import write_merge
from evomerge_core.paths.path import Path, Pool
from evomerge_core.paths.path_merge import only_used, write_path
from evomerge_core.paths.size import most_layers, most_parameters
from evomerge_core.paths.spec import Paths
from support.path_children import LAYERS, SIZES, child_of, config, files, gemma3, llama, open_models, save, tensors
from support.paths import own_path

HOPS = [(0, 0), (1, 2, 0.5), (0, 1), (0, 1, 3.0), (1, 3), (0, 3, 0.8)]
GAINS = [1.0, 0.5, 0.5, 1.5, 1.5, 1.5 * 0.8]


@pytest.fixture
def place(tmp_path: Folder) -> Folder:
    """`first` and `second`, two Llamas of one shape."""
    save(tmp_path / "first", llama(), 1)
    save(tmp_path / "second", llama(), 2)
    return tmp_path


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.float().numpy()


def test_hops_are_layers_with_their_gain_folded_into_what_they_write(place: Folder) -> None:
    sources = open_models(place, "first", "second")
    write_path(place / "child", child_of(HOPS, "first", "second"), sources, "x: 1\n", "evomerge_path.yml")
    child, parents = tensors(place / "child"), [tensors(place / name) for name in ("first", "second")]
    for number, ((source, layer, *_), gain) in enumerate(zip(HOPS, GAINS, strict=True)):
        for name, tensor in parents[source].items():
            if f"layers.{layer}." not in name:
                continue
            ours = child[name.replace(f"layers.{layer}.", f"layers.{number}.")]
            folded = numbers(tensor) / np.float32(gain if "o_proj" in name or "down_proj" in name else 1.0)
            assert torch.equal(ours, torch.from_numpy(folded).bfloat16()), name
    for name in ("model.embed_tokens.weight", "model.norm.weight"):
        assert torch.equal(child[name], parents[0][name])
    assert config(place / "child")["num_hidden_layers"] == len(HOPS)
    assert (place / "child" / "evomerge_path.yml").read_text() == "x: 1\n"
    assert "tokenizer.json" in files(place / "child")


def test_embeddings_come_with_the_first_hop_and_norm_and_head_with_the_last(tmp_path: Folder) -> None:
    for name, seed in (("first", 1), ("second", 2)):
        save(tmp_path / name, llama(tie_word_embeddings=False), seed)
    sources = open_models(tmp_path, "first", "second")
    write_path(tmp_path / "child", child_of([(1, 0), (0, 3)], "first", "second"), sources, "", "x.yml")
    child, first, second = (tensors(tmp_path / name) for name in ("child", "first", "second"))
    assert torch.equal(child["model.embed_tokens.weight"], second["model.embed_tokens.weight"])
    assert torch.equal(child["model.norm.weight"], first["model.norm.weight"])
    assert torch.equal(child["lm_head.weight"], first["lm_head.weight"])


def test_the_identity_path_has_the_first_models_very_bytes(place: Folder) -> None:
    sources = open_models(place, "first", "second")
    write_path(place / "child", child_of(own_path(Pool(("a", "b"), LAYERS)), "first", "second"), sources, "", "x.yml")
    child, first = tensors(place / "child"), tensors(place / "first")
    assert child.keys() == first.keys()
    assert all(torch.equal(child[name], first[name]) for name in child)


def test_a_member_may_be_a_merge_and_counts_as_if_it_lay_on_disk(place: Folder) -> None:
    save(place / "base", llama(), 3)
    sources = open_models(place, "base", "first", "second")
    weights = tuple(SliceSource(name, None, {"weight": (Setting((0.3, 0.7)),)}) for name in ("first", "second"))
    merge = MergeConfig("task_arithmetic", (Slice(weights),), "base", seed=5)
    write_merge(place / "merged", merge, sources, "merged")
    opened = {**sources, **open_models(place, "merged")}
    write_path(place / "ours", child_of(HOPS, merge, "second"), sources, "", "x.yml")
    write_path(place / "theirs", child_of(HOPS, "merged", "second"), opened, "", "x.yml")
    assert files(place / "ours")["model.safetensors"] == files(place / "theirs")["model.safetensors"]


def test_layer_types_that_a_rule_gives_are_written_out_where_layers_move(tmp_path: Folder) -> None:
    for name, seed in (("first", 1), ("second", 2)):
        folder = save(tmp_path / name, gemma3(), seed)
        content = config(folder)
        # as older checkpoints on the hub: the rule alone
        content.pop("layer_types")
        content["sliding_window_pattern"] = 3
        (folder / "config.json").write_text(json.dumps(content))
    sources = open_models(tmp_path, "first", "second")
    plain = child_of([(0, layer) for layer in range(LAYERS)], "first")
    write_path(tmp_path / "plain", plain, sources, "", "x.yml")
    assert "layer_types" not in config(tmp_path / "plain")
    moved = child_of([(0, 0), (1, 2), (0, 2), (0, 1), (0, 3)], "first", "second")
    write_path(tmp_path / "moved", moved, sources, "", "x.yml")
    sliding, full = "sliding_attention", "full_attention"
    assert config(tmp_path / "moved")["layer_types"] == [sliding, full, full, sliding, sliding]
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "moved").config
    assert loaded.layer_types == [sliding, full, full, sliding, sliding]
    assert fixed_layers(moved, sources) == (0, 2, 2, 1, 3)


def test_post_norms_take_the_gain_where_a_family_has_them(tmp_path: Folder) -> None:
    for name, seed in (("first", 1), ("second", 2)):
        save(tmp_path / name, gemma3(), seed, torch.float32)
    sources = open_models(tmp_path, "first", "second")
    path = child_of([(0, 0), (1, 1, 0.5), (0, 3)], "first", "second")
    write_path(tmp_path / "child", path, sources, "", "x.yml")
    child, second = tensors(tmp_path / "child"), tensors(tmp_path / "second")
    for norm in ("post_attention_layernorm", "post_feedforward_layernorm"):
        ours, theirs = (numbers(tensors[f"model.layers.1.{norm}.weight"]) for tensors in (child, second))
        # Gemma multiplies by 1 + weight
        np.testing.assert_allclose(1 + ours, (1 + theirs) / 0.5, rtol=1e-2)
    name = "model.layers.1.self_attn.o_proj.weight"
    assert torch.equal(child[name], second[name].bfloat16())


def test_scales_that_cannot_be_folded_are_refused_with_the_reason(tmp_path: Folder) -> None:
    sizes = {name: value for name, value in SIZES.items() if name != "head_dim"}
    for name, seed in (("first", 1), ("second", 2)):
        save(tmp_path / name, Olmo2Config(**sizes), seed)
    sources = open_models(tmp_path, "first", "second")
    with pytest.raises(InputError, match=r"olmo2: its layers read the stream without a norm.*use scales: none"):
        write_path(tmp_path / "child", child_of(HOPS, "first", "second"), sources, "", "x.yml")
    assert not (tmp_path / "child").exists()
    unscaled = child_of([hop[:2] for hop in HOPS], "first", "second")
    write_path(tmp_path / "child", unscaled, sources, "", "x.yml")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "child").config.num_hidden_layers == len(HOPS)


def test_a_layer_that_is_not_there_is_named(place: Folder) -> None:
    with pytest.raises(InputError, match=r"path\[1\]: layer 4: the model has layers 0 to 3"):
        write_path(place / "child", child_of([(0, 0), (0, 4)], "first"), open_models(place, "first"), "", "x.yml")


def test_members_that_a_path_does_not_visit_are_left_out() -> None:
    used = only_used(child_of([(0, 0), (2, 1, 0.5), (0, 3)], "first", "second", "third"))
    assert [member.slices[0].sources[0].model for member in used.members] == ["first", "third"]
    assert [(hop.source, hop.layer, hop.scale) for hop in used.path.hops] == [(0, 0, 1.0), (1, 1, 0.5), (0, 3, 1.0)]


def test_sizes_are_those_of_the_child(place: Folder) -> None:
    sources = open_models(place, "first", "second")
    path = Path(tuple(child_of(HOPS, "first").path.hops))
    counted = sum(int(np.prod(shape)) for shape in fixed_shapes(child_of(path, "first", "second"), sources).values())
    write_path(place / "child", child_of(path, "first", "second"), sources, "", "x.yml")
    written = sum(tensor.numel() for tensor in tensors(place / "child").values())
    assert counted == written == most_parameters(sources["first"], len(HOPS))
    own = most_parameters(sources["first"], LAYERS)
    bound = Paths.model_validate({"max_parameters": written + 10})
    assert most_layers(bound, sources["first"]) == len(HOPS)
    both = Paths.model_validate({"max_layers": 5, "max_parameters": written + 10})
    assert most_layers(both, sources["first"]) == 5
    assert most_layers(Paths.model_validate({}), sources["first"]) is None
    with pytest.raises(InputError, match="leave no room for two layers"):
        most_layers(Paths.model_validate({"max_parameters": own // 10}), sources["first"])
