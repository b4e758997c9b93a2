from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from evomerge_core.sources.checks.finite import check_finite
from evomerge_core.sources.source import open_source
from support.peft_adapters import assert_reads_as_peft_merges, change_json, merged_by_peft, opened, refusal, train
from support.source_models import write_model

LINEAR = ["q_proj", "v_proj", "down_proj"]


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": LINEAR, "lora_alpha": 12},
        {"target_modules": LINEAR, "lora_alpha": 12, "use_rslora": True},
        {
            "target_modules": LINEAR,
            "lora_alpha": 6,
            "rank_pattern": {"q_proj": 2, r"layers\.1\.self_attn\.v_proj": 3},
            "alpha_pattern": {"layers.0.mlp.down_proj": 32, "q_proj": 5},
        },
        {"target_modules": "all-linear", "lora_alpha": 8},
        {"target_modules": r".*\.1\..*(q|k)_proj", "lora_alpha": 8},
        {"target_modules": LINEAR, "layers_to_transform": [1], "layers_pattern": "layers"},
        {"target_modules": [*LINEAR, "embed_tokens", "lm_head"], "lora_alpha": 3},
        {"target_modules": LINEAR, "modules_to_save": ["embed_tokens", "lm_head"]},
        {"target_modules": LINEAR, "modules_to_save": ["input_layernorm", "model.norm"]},
    ],
    ids=["plain", "rslora", "patterns", "all-linear", "regex", "some-layers", "embeddings", "saved-ends", "saved-norms"],
)
def test_reads_as_peft_merges(pristine: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    adapter = train(pristine, tmp_path / "adapter", **settings)
    source = assert_reads_as_peft_merges(pristine, adapter)
    assert any(source.low_rank(name) is not None for name in source.names)


def test_transposed_layers_read_as_peft_merges(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=40, n_positions=64)).save_pretrained(
        tmp_path / "gpt2"
    )
    adapter = train(tmp_path / "gpt2", tmp_path / "adapter", target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)
    assert_reads_as_peft_merges(tmp_path / "gpt2", adapter)


def test_stored_is_the_checkpoints_own_and_untouched_tensors_stay_mapped(pristine: Path, tmp_path: Path) -> None:
    source = opened(pristine, train(pristine, tmp_path / "adapter", target_modules=["q_proj"]))
    own = load_file(pristine / "model.safetensors")
    for name in source.names:
        assert torch.equal(source.stored(name), own[name])
        if "q_proj" not in name:
            assert source.low_rank(name) is None
            assert source.read(name).data_ptr() == source.read(name).data_ptr()


def test_a_bfloat16_base_gives_float32_where_the_adapter_adds(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", dtype=torch.bfloat16)
    source = opened(base, train(base, tmp_path / "adapter", target_modules=["q_proj"], lora_alpha=2))
    name = "model.layers.0.self_attn.q_proj.weight"
    factors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    a, b = (factors[f"base_model.model.model.layers.0.self_attn.q_proj.lora_{x}.weight"].double() for x in "AB")
    expected = load_file(base / "model.safetensors")[name].double() + 0.5 * (b @ a)
    assert source.dtype(name) == torch.float32
    torch.testing.assert_close(source.read(name), expected.float(), rtol=1e-6, atol=1e-6)
    assert source.dtype("model.norm.weight") == torch.bfloat16


@pytest.mark.parametrize(
    "settings",
    [{"target_modules": ["q_proj", "embed_tokens"]}, {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]}],
)
def test_a_tied_head_follows_the_embedding_when_peft_tied_them(tmp_path: Path, settings: dict[str, Any]) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    adapter = train(base, tmp_path / "adapter", ensure_weight_tying=True, **settings)
    source = opened(base, adapter)
    model = LlamaForCausalLM.from_pretrained(base)
    ids = torch.arange(12).reshape(1, -1)
    expected = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base), adapter)(ids).logits
    model.load_state_dict({name: source.read(name) for name in source.names}, strict=False)
    torch.testing.assert_close(model(ids).logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"target_modules": ["q_proj", "lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    ],
)
def test_an_adapter_that_unties_a_tied_model_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    assert "ties its embedding and head" in refusal(base, train(base, tmp_path / "adapter", **settings))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"init_lora_weights": "olora"}, "init_lora_weights"),
    ],
)
def test_what_two_factors_cannot_say_is_refused(pristine: Path, tmp_path: Path, settings: dict[str, Any], key: str) -> None:
    adapter = train(pristine, tmp_path / "adapter", target_modules=["q_proj"], **settings)
    said = refusal(pristine, adapter)
    assert said.startswith(f"{adapter / 'adapter_config.json'}: {key}: ")
    assert "merge_and_unload" in said


@pytest.fixture
def plain(pristine: Path, tmp_path: Path) -> Path:
    return train(pristine, tmp_path / "adapter", target_modules=["q_proj"])


def change_weights(adapter: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    path = adapter / "adapter_model.safetensors"
    save_file({name: tensor.clone() for name, tensor in change(load_file(path)).items()}, path)
    return adapter


FIRST = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


def test_another_kind_of_adapter_is_refused(pristine: Path, plain: Path) -> None:
    assert "peft_type: IA3 is not LORA" in refusal(pristine, change_json(plain, peft_type="IA3"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda factors: {name: t for name, t in factors.items() if name != FIRST}, "has no partner"),
        (lambda factors: {name: t for name, t in factors.items() if "layers.0" not in name}, "target_modules names"),
        (lambda factors: factors | {FIRST: torch.zeros(4, 60)}, "model.layers.0.self_attn.q_proj.weight is [64, 64]"),
        (lambda factors: factors | {FIRST: torch.zeros(3, 64)}, "has rank 3"),
        (lambda factors: factors | {FIRST: torch.zeros(4, 64, dtype=torch.int8)}, "stored as I8"),
        (
            lambda factors: (
                factors
                | {
                    FIRST.replace("layers.0", "layers.7"): torch.zeros(4, 64),
                    FIRST.replace("layers.0", "layers.7").replace("_A", "_B"): torch.zeros(64, 4),
                }
            ),
            "model.layers.7.self_attn.q_proj.weight",
        ),
        (lambda factors: factors | {"base_model.model.model.layers.0.mlp.extra": torch.zeros(4)}, "neither a LoRA factor"),
        (
            lambda _: {"base_model.model.model.embed_tokens.weight": torch.zeros(40, 60)},
            "embed_tokens.weight is [40, 60]",
        ),
        (lambda _: {}, "holds no LoRA pair"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    pristine: Path, plain: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], said: str
) -> None:
    line = refusal(pristine, change_weights(plain, change))
    assert str(plain / "adapter_model.safetensors") in line
    assert said in line


def test_missing_parts_are_named(pristine: Path, plain: Path, tmp_path: Path) -> None:
    assert str(tmp_path / "absent") in refusal(pristine, tmp_path / "absent")
    (plain / "adapter_model.safetensors").unlink()
    assert "adapter_model.safetensors: no such file" in refusal(pristine, plain)
    (plain / "adapter_config.json").unlink()
    assert "adapter_config.json: no such file" in refusal(pristine, plain)


def test_a_pickled_adapter_is_read_only_when_asked_for(pristine: Path, plain: Path) -> None:
    expected = merged_by_peft(pristine, plain)
    torch.save(load_file(plain / "adapter_model.safetensors"), plain / "adapter_model.bin")
    (plain / "adapter_model.safetensors").unlink()
    assert "a pickle can run code" in refusal(pristine, plain)
    source = open_source(f"{pristine}+{plain}", relative_to=Path(), allow_pickle=True)
    name = "model.layers.1.self_attn.q_proj.weight"
    torch.testing.assert_close(source.read(name), expected[name].data, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"r": 0}, "r: 0 is not a positive number"),
        ({"lora_alpha": "big"}, "lora_alpha: 'big' is not a positive number"),
        ({"alpha_pattern": {"q_proj": None}}, "alpha_pattern.q_proj: None is not a positive number"),
        ({"rank_pattern": {"k_proj": 4, "q_proj": "4"}}, "rank_pattern.q_proj: '4' is not a positive number"),
        ({"rank_pattern": {"(": 4}}, "'(' is not a regular expression"),
        ({"rank_pattern": [4]}, "rank_pattern: must map layers"),
        ({"target_modules": "*"}, "'*' is not a regular expression"),
    ],
)
def test_a_broken_adapter_config_is_one_line(pristine: Path, plain: Path, settings: dict[str, Any], said: str) -> None:
    line = refusal(pristine, change_json(plain, **settings))
    assert line.startswith(str(plain / "adapter_config.json"))
    assert said in line


def test_another_recorded_base_is_no_obstacle(pristine: Path, plain: Path) -> None:
    assert opened(pristine, change_json(plain, base_model_name_or_path="someone/else")).names


def test_nan_in_an_adapter_is_found(pristine: Path, plain: Path) -> None:
    change_weights(plain, lambda factors: factors | {FIRST: torch.full((4, 64), float("nan"))})
    lines = [str(error) for error in check_finite(opened(pristine, plain))]
    assert len(lines) == 1
    assert FIRST in lines[0]


def test_fingerprints_tell_model_and_adapter_apart(pristine: Path, plain: Path) -> None:
    names = opened(pristine, plain).fingerprints()
    assert {"config.json", "model.safetensors", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"} <= set(
        names
    )


# An engine that tries every way takes a number of steps that doubles with each letter of a layer's name.
@pytest.mark.parametrize(
    "settings", [{"target_modules": r"(\w*\.?\w*)*!"}, {"rank_pattern": {r"(\w*\.?\w*)*!": 4}}], ids=["targets", "rank"]
)
def test_a_pattern_that_never_ends_is_refused_with_its_key(pristine: Path, plain: Path, settings: dict[str, Any]) -> None:
    said = refusal(pristine, change_json(plain, **settings))
    assert said.startswith(f"{plain}: adapter_config.json: {next(iter(settings))}: ")
    assert "takes longer than 2 s" in said
