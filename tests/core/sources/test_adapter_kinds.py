"""What else than two factors an adapter may hold: each is read as peft's merge_and_unload merges it, or refused in one line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from evomerge_core.merging.merge import make_engine
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.sources.adapter import fit_adapter
from evomerge_core.sources.adapters.settings import read_adapter_config
from evomerge_core.sources.checkpoint import open_checkpoint
from evomerge_core.sources.source import open_source
from evomerge_core.sources.stored.weight_file import WeightFile, open_weights
from support.merging_models import merge_of
from support.peft_adapters import assert_reads_as_peft_merges, change_json, merged_by_peft, opened, refusal, train
from support.source_models import SIZES, write_model

LINEAR = ["q_proj", "v_proj", "down_proj"]
QUERY = "model.layers.1.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with biases, none of them zero."""
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(**SIZES))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    folder = tmp_path_factory.mktemp("models") / "qwen2"
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "gpt2"
    GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=40, n_positions=64)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": LINEAR, "lora_alpha": 12},
        {"target_modules": "all-linear", "use_rslora": True, "lora_alpha": 2},
        {
            "target_modules": LINEAR,
            "rank_pattern": {"q_proj": 2, r"layers\.1\.self_attn\.v_proj": 3},
            "alpha_pattern": {"layers.0.mlp.down_proj": 32, "q_proj": 5},
        },
        {"target_modules": [*LINEAR, "embed_tokens", "lm_head"]},
        {"target_modules": LINEAR, "layers_to_transform": [1], "modules_to_save": ["model.norm", "lm_head"], "bias": "all"},
    ],
    ids=["plain", "rslora", "patterns", "embeddings", "some-layers"],
)
def test_dora_reads_as_peft_merges(biased: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    adapter = train(biased, tmp_path / "adapter", use_dora=True, **settings)
    source = assert_reads_as_peft_merges(biased, adapter)
    assert source.low_rank(QUERY) is None


@pytest.mark.parametrize("magnitudes", ["lora_magnitude_vector.weight", "lora_magnitude_vector.default.weight"])
def test_every_spelling_of_doras_magnitudes_is_read(pristine: Path, tmp_path: Path, magnitudes: str) -> None:
    adapter = train(pristine, tmp_path / "adapter", use_dora=True, target_modules=LINEAR)
    expected = merged_by_peft(pristine, adapter)[QUERY]
    path = adapter / "adapter_model.safetensors"
    factors = load_file(path)
    save_file({name.replace("lora_magnitude_vector", magnitudes): tensor for name, tensor in factors.items()}, path)
    torch.testing.assert_close(opened(pristine, adapter).read(QUERY), expected.data, rtol=1e-6, atol=1e-6)


def test_the_task_vector_of_dora_is_what_its_merged_weight_differs_by(pristine: Path, tmp_path: Path) -> None:
    adapter = train(pristine, tmp_path / "adapter", use_dora=True, target_modules=LINEAR)
    base, tuned = open_source(str(pristine), relative_to=Path()), opened(pristine, adapter)
    config = merge_of("task_arithmetic", {"tuned": {"weight": 0.3}}, "base")
    sources = {"base": base, "tuned": tuned}
    child = dict(make_engine(config, sources).stream(make_plan(config, sources)))
    stored, merged = load_file(pristine / "model.safetensors"), merged_by_peft(pristine, adapter)
    for name, tensor in child.items():
        expected = stored[name].double() + 0.3 * (merged[name].data.double() - stored[name].double())
        torch.testing.assert_close(tensor.double(), expected, rtol=2**-8, atol=1e-6)


def test_dora_on_a_bfloat16_base_is_computed_in_float32(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", dtype=torch.bfloat16)
    adapter = train(base, tmp_path / "adapter", use_dora=True, target_modules=["q_proj"], lora_alpha=2)
    factors = {
        name.split(".q_proj.")[1]: t.double().numpy()
        for name, t in load_file(adapter / "adapter_model.safetensors").items()
        if "layers.1" in name
    }
    whole = (
        load_file(base / "model.safetensors")[QUERY].double().numpy()
        + 0.5 * factors["lora_B.weight"] @ factors["lora_A.weight"]
    )
    expected = whole * (factors["lora_magnitude_vector"] / np.linalg.norm(whole, axis=1))[:, None]
    np.testing.assert_allclose(opened(base, adapter).read(QUERY).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"use_dora": True}, {"bias": "all"}], ids=["plain", "dora", "biases"])
@pytest.mark.parametrize("stated", [True, False])
def test_which_way_round_a_layer_is_stored_is_told_by_its_family(
    gpt2: Path, tmp_path: Path, settings: dict[str, Any], stated: bool
) -> None:
    """peft sets `fan_in_fan_out` by the layer's class, whatever the file says."""
    adapter = train(gpt2, tmp_path / "adapter", target_modules=["c_attn", "c_proj"], fan_in_fan_out=True, **settings)
    assert_reads_as_peft_merges(gpt2, change_json(adapter, fan_in_fan_out=stated))


def test_an_adapter_of_a_model_that_was_saved_without_its_first_name_reads_as_peft_merges(gpt2: Path, tmp_path: Path) -> None:
    """As GPT-2 lies on the hub: `h.0.attn.c_attn.weight`, which transformers calls `transformer.h.0.attn.c_attn.weight`."""
    bare = Path(shutil.copytree(gpt2, tmp_path / "bare"))
    state = {name.removeprefix("transformer."): tensor for name, tensor in load_file(gpt2 / "model.safetensors").items()}
    save_file(state, bare / "model.safetensors", metadata={"format": "pt"})
    adapter = train(gpt2, tmp_path / "adapter", target_modules=["c_attn"], modules_to_save=["ln_f"], fan_in_fan_out=True)
    source, expected = opened(bare, adapter), merged_by_peft(bare, adapter)
    assert {f"transformer.{name}" for name in source.names} == set(expected)
    for name in source.names:
        torch.testing.assert_close(source.read(name), expected[f"transformer.{name}"].data, rtol=1e-6, atol=1e-6)


def test_a_head_of_another_name_reads_as_peft_merges(tmp_path: Path) -> None:
    """GPT-NeoX's is stored as `embed_out.weight`, which transformers calls `lm_head.weight`."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 40}
    GPTNeoXForCausalLM(GPTNeoXConfig(**sizes)).save_pretrained(tmp_path / "base")
    settings = {"target_modules": ["dense"], "modules_to_save": ["lm_head"]}
    adapter = train(tmp_path / "base", tmp_path / "adapter", **settings)
    source, expected = opened(tmp_path / "base", adapter), merged_by_peft(tmp_path / "base", adapter)
    assert "embed_out.weight" in source.names
    torch.testing.assert_close(source.read("embed_out.weight"), expected["lm_head.weight"].data, rtol=0, atol=0)


def test_a_transposed_layer_is_none_in_a_family_of_plain_ones(pristine: Path, tmp_path: Path) -> None:
    adapter = train(pristine, tmp_path / "adapter", target_modules=["q_proj"])
    assert_reads_as_peft_merges(pristine, change_json(adapter, fan_in_fan_out=True))


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_trained_biases_read_as_peft_merges(biased: Path, tmp_path: Path, bias: str) -> None:
    adapter = train(biased, tmp_path / "adapter", target_modules=LINEAR, bias=bias)
    source = assert_reads_as_peft_merges(biased, adapter)
    name = "model.layers.0.self_attn.q_proj.bias"
    assert not torch.equal(source.read(name), source.stored(name))


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["q_proj", "v_proj"], "lora_alpha": 12},
        {"target_modules": ["q_proj", "v_proj"], "use_rslora": True, "alpha_pattern": {"v_proj": 5}},
        {"target_modules": ["k_proj"], "bias": "all"},
    ],
    ids=["plain", "patterns", "beside-biases"],
)
def test_biases_of_factors_read_as_peft_merges(biased: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    adapter = train(biased, tmp_path / "adapter", lora_bias=True, **settings)
    source = assert_reads_as_peft_merges(biased, adapter)
    name = f"model.layers.0.self_attn.{settings['target_modules'][0]}.bias"
    assert not torch.equal(source.read(name), source.stored(name))


def test_biases_of_factors_on_layers_stored_the_other_way_round(gpt2: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}
    assert_reads_as_peft_merges(gpt2, train(gpt2, tmp_path / "adapter", lora_bias=True, **settings))


def test_biases_of_factors_need_a_bias_and_their_setting(biased: Path, pristine: Path, tmp_path: Path) -> None:
    lone = train(pristine, tmp_path / "lone", target_modules=["q_proj"], lora_bias=True)
    with pytest.raises(RuntimeError, match="no bias"):
        merged_by_peft(pristine, lone)
    assert "q_proj has none in" in refusal(pristine, lone)
    fitting = train(biased, tmp_path / "fitting", target_modules=["q_proj"], lora_bias=True)
    assert "lora_B.bias needs lora_bias; give the adapter_config.json" in refusal(biased, change_json(fitting, lora_bias=False))
    without = train(biased, tmp_path / "without", target_modules=["q_proj"])
    assert "lora_bias is true, but" in refusal(biased, change_json(without, lora_bias=True))


def test_a_model_without_biases_has_none_to_train(pristine: Path, tmp_path: Path) -> None:
    assert_reads_as_peft_merges(pristine, train(pristine, tmp_path / "adapter", target_modules=LINEAR, bias="all"))


@pytest.mark.parametrize(
    "settings",
    [
        {"trainable_token_indices": [3, 39, 7]},
        {"trainable_token_indices": {"embed_tokens": [1], "lm_head": [5, 6]}},
        {"trainable_token_indices": [2], "use_dora": True, "modules_to_save": ["lm_head"]},
    ],
    ids=["list", "both-ends", "beside-dora"],
)
def test_trained_rows_read_as_peft_merges(pristine: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    source = assert_reads_as_peft_merges(pristine, train(pristine, tmp_path / "adapter", target_modules=LINEAR, **settings))
    assert source.low_rank("model.embed_tokens.weight") is None


@pytest.mark.parametrize("rows", [[3, 39], {"embed_tokens": [3, 39]}, {"embed_tokens": [3, 39], "lm_head": [3, 39]}])
def test_trained_rows_of_a_tied_model_are_the_heads_too(tmp_path: Path, rows: Any) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    adapter = train(base, tmp_path / "adapter", target_modules=["q_proj"], trainable_token_indices=rows)
    source, expected = opened(base, adapter), merged_by_peft(base, adapter)
    assert source.tied
    for name in source.names:
        torch.testing.assert_close(source.read(name), expected[name].data, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rows", [[39, 41, 42], {"embed_tokens": [39, 41, 42]}])
def test_rows_that_were_added_to_a_tied_model_and_trained_read_as_peft_merges(tmp_path: Path, rows: Any) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    adapter = train(base, tmp_path / "adapter", rows=44, target_modules=LINEAR, trainable_token_indices=rows)
    stored = load_file(adapter / "adapter_model.safetensors")
    assert sum(name.endswith("trainable_tokens_delta") for name in stored) == 2  # the head's too
    assert_reads_as_peft_merges(base, adapter, rows=44)
    head = next(name for name in stored if "lm_head" in name and name.endswith("trainable_tokens_delta"))
    save_file(stored | {head: stored[head] + 1}, adapter / "adapter_model.safetensors")
    assert "ties its embedding and head" in refusal(base, adapter)


@pytest.mark.parametrize("rows", [{"lm_head": [3]}, {"embed_tokens": [3], "lm_head": [4]}])
def test_rows_that_untie_a_tied_model_are_refused(tmp_path: Path, rows: Any) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    adapter = train(base, tmp_path / "adapter", target_modules=["q_proj"], trainable_token_indices=rows)
    assert "ties its embedding and head" in refusal(base, adapter)


def test_rows_of_tokens_that_were_added_read_as_peft_merges(pristine: Path, tmp_path: Path) -> None:
    settings = {"target_modules": ["q_proj"], "trainable_token_indices": [40, 41]}
    source = assert_reads_as_peft_merges(pristine, train(pristine, tmp_path / "adapter", rows=42, **settings), rows=42)
    assert source.shape("model.embed_tokens.weight") == (42, 64)


def test_rows_of_a_bfloat16_embedding_keep_the_trained_digits(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", dtype=torch.bfloat16)
    adapter = train(base, tmp_path / "adapter", target_modules=["q_proj"], trainable_token_indices=[3])
    path = adapter / "adapter_model.safetensors"
    (key,) = [name for name in load_file(path) if "trainable_tokens" in name]
    trained = torch.linspace(0, 1, 64).reshape(1, -1)
    save_file(load_file(path) | {key: trained}, path)
    expected = load_file(base / "model.safetensors")["model.embed_tokens.weight"].float()
    expected[3] = trained
    assert torch.equal(opened(base, adapter).read("model.embed_tokens.weight"), expected)


@pytest.mark.parametrize("saved", [["mlp"], ["layers.1"], ["norm"], ["embed_tokens", "lm_head"]])
def test_whole_modules_read_as_peft_merges(pristine: Path, tmp_path: Path, saved: list[str]) -> None:
    assert_reads_as_peft_merges(
        pristine, train(pristine, tmp_path / "adapter", target_modules=["layers.0.self_attn.q_proj"], modules_to_save=saved)
    )


def test_a_module_that_transformers_calls_otherwise_than_the_file_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """Experts lie one by one on the disk, and in one tensor in memory."""
    MixtralForCausalLM(MixtralConfig(**SIZES, num_local_experts=2)).save_pretrained(tmp_path / "base")
    adapter = train(tmp_path / "base", tmp_path / "adapter", target_modules=["q_proj"], modules_to_save=["experts"])
    line = refusal(tmp_path / "base", adapter)
    assert "mlp.experts.down_proj, which" in line
    assert "merge_and_unload" in line
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    PeftModel.from_pretrained(merged, adapter).merge_and_unload().save_pretrained(tmp_path / "merged")
    assert open_source(str(tmp_path / "merged"), relative_to=Path()).names


def test_a_module_that_is_saved_whole_needs_no_factors(pristine: Path, tmp_path: Path) -> None:
    settings = {"target_modules": ["q_proj", "lm_head"], "modules_to_save": ["lm_head"]}
    assert_reads_as_peft_merges(pristine, train(pristine, tmp_path / "adapter", **settings))


def logits(folder: Path, adapter: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """What transformers computes with the source's tensors, and with those that peft merged."""
    ids = torch.arange(12).reshape(1, -1)
    source, expected = opened(folder, adapter), merged_by_peft(folder, adapter)
    network = LlamaForCausalLM.from_pretrained(folder)
    network.load_state_dict({name: source.read(name) for name in source.names}, strict=False)
    theirs = LlamaForCausalLM.from_pretrained(folder, tie_word_embeddings=False)
    theirs.load_state_dict(expected, strict=False)
    if "lm_head.weight" not in expected:
        theirs.lm_head.weight = theirs.model.embed_tokens.weight
    return network(ids).logits, theirs(ids).logits


@pytest.mark.parametrize("saved", [None, ["embed_tokens", "lm_head"], ["lm_head", "embed_tokens"]])
def test_two_equal_copies_of_a_tied_matrix_are_one(tmp_path: Path, saved: list[str] | None) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    adapter = train(base, tmp_path / "adapter", target_modules=["q_proj"])
    path = adapter / "adapter_model.safetensors"
    matrix = torch.randn(40, 64)
    ends = {f"base_model.model.{name}.weight": matrix.clone() for name in ("model.embed_tokens", "lm_head")}
    save_file(load_file(path) | ends, path)
    change_json(adapter, modules_to_save=saved)
    assert opened(base, adapter).tied
    ours, theirs = logits(base, adapter)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_copy_of_the_models_own_matrix_changes_nothing(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    adapter = train(base, tmp_path / "adapter", target_modules=["q_proj"])
    path = adapter / "adapter_model.safetensors"
    own = load_file(base / "model.safetensors")["model.embed_tokens.weight"]
    save_file(load_file(path) | {"base_model.model.lm_head.weight": own}, path)
    source = opened(base, change_json(adapter, modules_to_save=["lm_head"]))
    assert torch.equal(source.read("model.embed_tokens.weight"), own)


def test_two_copies_of_a_tied_matrix_that_differ_are_named(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    settings = {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]}
    line = refusal(base, train(base, tmp_path / "adapter", **settings))
    assert "holds model.embed_tokens.weight and lm_head.weight that differ" in line


def test_a_vocabulary_that_grew_on_a_tied_model_reads_as_peft_merges(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=True)
    adapter = train(base, tmp_path / "adapter", rows=43, target_modules=["q_proj"])
    assert len([name for name in load_file(adapter / "adapter_model.safetensors") if "lora" not in name]) == 2
    source, expected = opened(base, adapter), merged_by_peft(base, adapter, rows=43)
    assert source.tied
    for name in source.names:
        torch.testing.assert_close(source.read(name), expected[name].data, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("trained", "stated", "said"),
    [
        ({"use_dora": True}, {"use_dora": False}, "needs use_dora"),
        ({}, {"use_dora": True}, "use_dora is true, but model.layers.0.self_attn.q_proj has no magnitude"),
        ({"trainable_token_indices": [3, 4]}, {"trainable_token_indices": [3]}, "trainable_token_indices names 1"),
        ({"trainable_token_indices": [3, 4]}, {"trainable_token_indices": [3, 40]}, "names 2, the last 40"),
        ({"trainable_token_indices": [3, 4]}, {"trainable_token_indices": None}, "names none"),
        ({"trainable_token_indices": [3]}, {"trainable_token_indices": ["<s>"]}, "trainable_token_indices: ['<s>'] are not"),
        ({"trainable_token_indices": [3]}, {"trainable_token_indices": [-1]}, "trainable_token_indices: [-1] are not"),
        ({}, {"modules_to_save": "lm_head"}, "modules_to_save: 'lm_head' is not a list of names"),
        ({}, {"target_modules": 7}, "target_modules: 7 is not a list of names"),
        ({}, {"r": float("nan")}, "r: nan is not a positive number"),
    ],
)
def test_settings_that_contradict_the_file_are_one_line(
    pristine: Path, tmp_path: Path, trained: dict[str, Any], stated: dict[str, Any], said: str
) -> None:
    adapter = train(pristine, tmp_path / "adapter", target_modules=["q_proj"], **trained)
    assert said in refusal(pristine, change_json(adapter, **stated))


def test_a_magnitude_of_another_length_is_refused(pristine: Path, tmp_path: Path) -> None:
    adapter = train(pristine, tmp_path / "adapter", target_modules=["q_proj"], use_dora=True)
    path = adapter / "adapter_model.safetensors"
    factors = load_file(path)
    name = next(name for name in factors if "magnitude" in name)
    save_file(factors | {name: torch.ones(63)}, path)
    assert f"{name} is [63]" in refusal(pristine, adapter)


def test_an_adapter_that_is_not_downloaded_yet_is_known_by_its_headers(pristine: Path, tmp_path: Path) -> None:
    settings = {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"], "use_dora": True}
    adapter = train(pristine, tmp_path / "adapter", **settings)
    here = open_weights(adapter / "adapter_model.safetensors", allow_pickle=False)

    def read(name: str) -> torch.Tensor:
        raise AssertionError(f"{name} was read")

    away = WeightFile(tmp_path / "away" / "adapter_model.safetensors", here.facts, read)
    fitted = fit_adapter(adapter, read_adapter_config(adapter), away, open_checkpoint(pristine))
    assert set(fitted.replaced) == {"model.embed_tokens.weight", "lm_head.weight"}
    assert len(fitted.pairs) == 2
