"""Layers beyond the last and multi-token-prediction blocks: transformers passes over them, and so does a merge."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    DeepseekV3Config,
    Glm4MoeConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen3Config,
)

from evomerge_core.discovery.headers import download_bytes
from evomerge_core.genome.groups import make_grouping
from evomerge_core.genome.spec import Groups
from evomerge_core.merging.config import MergeConfig, Slice, SliceSource
from evomerge_core.merging.merge import write_merge
from evomerge_core.sources.checkpoint import make_checkpoint, read_config
from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.inspection import inspect
from evomerge_core.sources.source import Source, open_source, open_sources
from evomerge_core.sources.stored.weight_file import TensorFacts, WeightFile, open_weights
from evomerge_core.sources.tensors.left_out import left_out
from support.merging_models import merge_of
from support.source_models import SIZES, change_config

EXPERTS: dict[str, Any] = {
    "moe_intermediate_size": 32,
    "n_shared_experts": 1,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
LATENT = {"kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "v_head_dim": 16, "qk_nope_head_dim": 16}
FAMILIES: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SIZES),
    "qwen3": Qwen3Config(**SIZES, head_dim=16),
    "glm4_moe": Glm4MoeConfig(**SIZES, **EXPERTS, head_dim=16),
    "deepseek_v3": DeepseekV3Config(**(SIZES | EXPERTS | LATENT | {"num_key_value_heads": 4})),
}
State = dict[str, Tensor]


def one_more_layer(state: State) -> State:
    return {name.replace("layers.1.", "layers.2."): tensor for name, tensor in state.items() if "layers.1." in name}


def block_of_deepseek(state: State) -> State:
    """As DeepSeek V3 and GLM 4.5 store it: a layer after the last, with projections, norms and ends of its own."""
    extra = {
        "eh_proj": (64, 128),
        "enorm": (64,),
        "hnorm": (64,),
        "shared_head.norm": (64,),
        "shared_head.head": (40, 64),
        "embed_tokens": (40, 64),
    }
    block = {f"model.layers.2.{name}.weight": torch.randn(*shape) for name, shape in extra.items()}
    return one_more_layer(state) | block


def block_of_qwen(state: State) -> State:
    """As Qwen3-Next stores it."""
    layer = {name.replace("model.layers.1.", "mtp.layers.0."): tensor for name, tensor in one_more_layer(state).items()}
    layer = {name.replace("model.layers.2.", "mtp.layers.0."): tensor for name, tensor in layer.items()}
    norms = ("mtp.norm", "mtp.pre_fc_norm_embedding", "mtp.pre_fc_norm_hidden")
    return layer | {"mtp.fc.weight": torch.randn(64, 128)} | {f"{name}.weight": torch.randn(64) for name in norms}


CASES: list[tuple[str, Callable[[State], State]]] = [
    ("llama", one_more_layer),
    ("qwen3", block_of_qwen),
    ("glm4_moe", block_of_deepseek),
    ("deepseek_v3", block_of_deepseek),
]
each_layout = pytest.mark.parametrize(("family", "block"), CASES, ids=[family for family, _ in CASES])


def write(folder: Path, family: str, block: Callable[[State], State] | None = None, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    network = AutoModelForCausalLM.from_config(FAMILIES[family])
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.08)
    network.save_pretrained(folder)
    if block is not None:
        path = folder / "model.safetensors"
        state = load_file(path)
        save_file(state | {name: tensor.clone() for name, tensor in block(state).items()}, path, metadata={"format": "pt"})
        change_config(folder, num_nextn_predict_layers=1)
    return folder


def logits(folder: Path) -> Tensor:
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return network(torch.arange(3, 15).reshape(1, -1)).logits.detach()


def opened(folder: Path) -> Source:
    return open_source(str(folder), relative_to=Path())


@each_layout
def test_what_transformers_passes_over_is_no_part_of_the_model(
    tmp_path: Path, family: str, block: Callable[[State], State]
) -> None:
    plain, folder = write(tmp_path / "plain", family), write(tmp_path / "longer", family, block)
    torch.testing.assert_close(logits(folder), logits(plain), rtol=0, atol=0)
    source = opened(folder)
    assert set(source.names) == set(opened(plain).names)
    assert set(source.checkpoint.left_out) == set(load_file(folder / "model.safetensors")) - set(source.names)
    facts = inspect(source)
    assert (facts.layers, facts.problems) == (2, ())
    assert facts.left_out == (("mtp",) if block is block_of_qwen else ("model.layers.2",))
    assert inspect(opened(plain)).left_out == ()
    assert check(opened(plain), [source]) == []
    grouping = make_grouping(Groups(bands=2), 2, source.names, 1)
    assert grouping.bands == ((0, 1), (1, 2))


@each_layout
def test_a_child_has_no_layer_more(tmp_path: Path, family: str, block: Callable[[State], State]) -> None:
    folders = [write(tmp_path / name, family, block, seed) for seed, name in enumerate(("base", "tuned"))]
    config = merge_of("task_arithmetic", {"tuned": {"weight": 1.0}}, "base")
    sources = open_sources([folder.name for folder in folders], relative_to=tmp_path)
    write_merge(tmp_path / "child", MergeConfig(config.method, config.slices, "base", out_dtype="float32"), sources, "")
    torch.testing.assert_close(logits(tmp_path / "child"), logits(folders[1]), rtol=1e-4, atol=1e-4)
    stored = AutoConfig.from_pretrained(tmp_path / "child").to_dict()
    assert stored["num_hidden_layers"] == 2
    assert not [key for key in stored if ("nextn" in key or "num_mtp" in key) and stored[key]]
    _, loading = AutoModelForCausalLM.from_pretrained(tmp_path / "child", output_loading_info=True)
    assert not loading["unexpected_keys"]
    assert not loading["missing_keys"]


def test_a_child_of_some_layers_has_those(tmp_path: Path) -> None:
    folder = write(tmp_path / "base", "llama", one_more_layer)
    parts = tuple(Slice((SliceSource("base", layers),)) for layers in ((0, 2), (1, 2)))
    sources = open_sources(["base"], relative_to=tmp_path)
    write_merge(tmp_path / "child", MergeConfig("passthrough", parts, out_dtype="float32"), sources, "")
    child, stored = (load_file(place / "model.safetensors") for place in (tmp_path / "child", folder))
    assert AutoConfig.from_pretrained(tmp_path / "child").num_hidden_layers == 3
    for name, tensor in child.items():
        assert torch.equal(tensor, stored[name.replace("layers.2.", "layers.1.")])


def test_one_model_of_a_merge_may_lack_the_block(tmp_path: Path) -> None:
    write(tmp_path / "base", "glm4_moe", block_of_deepseek)
    tuned = write(tmp_path / "tuned", "glm4_moe", seed=1)
    sources = open_sources(["base", "tuned"], relative_to=tmp_path)
    assert check(sources["base"], [sources["tuned"]]) == []
    config = merge_of("task_arithmetic", {"tuned": {"weight": 1.0}}, "base")
    write_merge(tmp_path / "child", MergeConfig(config.method, config.slices, "base", out_dtype="float32"), sources, "")
    torch.testing.assert_close(logits(tmp_path / "child"), logits(tuned), rtol=1e-4, atol=1e-4)


def test_a_model_is_downloaded_with_the_shards_that_hold_no_part_of_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", "llama")
    here = open_weights(folder / "model.safetensors", allow_pickle=False)
    block = {"mtp.fc.weight": TensorFacts((64, 128), "F32")}
    away = [WeightFile(tmp_path / name, facts, here.read) for name, facts in (("1.safetensors", here.facts), ("2", block))]
    checkpoint = make_checkpoint(folder, read_config(folder), away, [file.path for file in away])
    every = sum(math.prod(facts.shape) * 4 for file in away for facts in file.facts.values())
    assert download_bytes([Source("m", checkpoint)]) == every


NAMES = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(4)]


@pytest.mark.parametrize(
    ("config", "names", "beyond"),
    [
        ({"num_hidden_layers": 3}, NAMES, NAMES[3:]),
        (
            {"n_layer": 2},
            [name.replace("model.layers", "h") for name in NAMES],
            ["h.2.mlp.up_proj.weight", "h.3.mlp.up_proj.weight"],
        ),
        ({"num_hidden_layers": 4}, NAMES, []),
        ({}, NAMES, []),
        ({"num_hidden_layers": "3"}, NAMES, []),
        # Layers that are numbered from 1.
        ({"num_hidden_layers": 3}, NAMES[1:], []),
        # A vision tower that is deeper than the language model.
        (
            {"text_config": {"num_hidden_layers": 2}, "vision_config": {"num_hidden_layers": 4}},
            [
                *(f"vision_tower.layers.{layer}.{part}.weight" for layer in range(4) for part in ("q", "k", "v")),
                "language_model.model.embed_tokens.weight",
                *(f"language_model.{name}" for name in NAMES[:3]),
            ],
            ["language_model.model.layers.2.mlp.up_proj.weight"],
        ),
        (
            {"num_hidden_layers": 4},
            [*NAMES, "model.mtp.layers.0.up_proj.weight", "model.mtp_block.0.norm.weight", "mtp.fc.weight"],
            ["model.mtp.layers.0.up_proj.weight", "model.mtp_block.0.norm.weight", "mtp.fc.weight"],
        ),
    ],
)
def test_which_names_lie_beyond_the_last_layer(config: dict[str, Any], names: list[str], beyond: list[str]) -> None:
    assert left_out(config, names) == set(beyond)
