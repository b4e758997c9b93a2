from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.sources.checks.compatibility import check, require
from evomerge_core.sources.source import Source, open_source
from support.source_models import change_config, write_model, write_tokenizer

CopyOf = Callable[[str], Path]
WORDS = [f"w{row}" for row in range(30)]


def opened(folder: Path) -> Source:
    return open_source(str(folder), relative_to=Path())


def lines(base: Path, source: Path) -> list[str]:
    found = [str(error) for error in check(opened(base), [opened(source)])]
    assert not [line for line in found if "\n" in line]
    return found


def the_line(base: Path, source: Path, key: str) -> str:
    (line,) = [line for line in lines(base, source) if key in line]
    return line


def test_a_model_and_its_fine_tune_merge(pristine: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "tuned", seed=1, dtype=torch.bfloat16)
    assert lines(pristine, tmp_path / "tuned") == []
    require(opened(pristine), [opened(tmp_path / "tuned")])


def test_another_architecture_is_refused_by_one_line(pristine: Path, tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=40)).save_pretrained(tmp_path / "gpt2")
    (line,) = lines(pristine, tmp_path / "gpt2")
    assert "model_type is 'gpt2', but 'llama'" in line
    assert "fine-tuned from the same model" in line


@pytest.mark.parametrize(
    ("settings", "field", "tensor"),
    [
        ({"hidden_size": 32, "head_dim": 16}, "hidden_size is 32, but 64", "lm_head.weight is [40, 32], but [40, 64]"),
        ({"intermediate_size": 128}, "intermediate_size is 128, but 96", "mlp.down_proj.weight is [64, 128], but [64, 96]"),
        (
            {"num_hidden_layers": 3},
            "num_hidden_layers is 3, but 2",
            "model.layers.2.input_layernorm.weight (and 8 more tensors) is not",
        ),
        ({"num_hidden_layers": 1}, "num_hidden_layers is 1, but 2", "(and 8 more tensors) is missing"),
        ({"num_key_value_heads": 4}, "num_key_value_heads is 4, but 2", "self_attn.k_proj.weight is [64, 64], but [32, 64]"),
        ({"num_attention_heads": 8, "head_dim": 8, "num_key_value_heads": 4}, "num_attention_heads is 8, but 4", ""),
        ({"attention_bias": True}, "attention_bias is True, but False", "self_attn.k_proj.bias (and"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings: the head is tied, but not tied", ""),
    ],
)
def test_other_sizes_are_refused(pristine: Path, tmp_path: Path, settings: dict[str, Any], field: str, tensor: str) -> None:
    write_model(tmp_path / "other", **settings)
    line = the_line(pristine, tmp_path / "other", field)
    assert "config.json: " in line
    assert any(tensor in line for line in lines(pristine, tmp_path / "other"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"architectures": ["LlamaForSequenceClassification"]}, "architectures is ['LlamaForSequenceClassification']"),
        ({"rms_norm_eps": 1e-5}, "rms_norm_eps is 1e-05, but 1e-06"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu', but 'silu'"),
        (
            {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}},
            "rope_parameters.rope_theta is 500000.0, but 10000.0",
        ),
        ({"rope_parameters": ..., "rope_theta": 5e5}, "rope_parameters.rope_theta is 500000.0, but 10000.0"),
        (
            {"rope_parameters": ..., "rope_scaling": {"type": "linear", "factor": 2.0}},
            "rope_parameters.rope_type is 'linear', but 'default'",
        ),
    ],
)
def test_settings_that_weights_cannot_show_are_refused(
    copy_of: CopyOf, pristine: Path, settings: dict[str, Any], said: str
) -> None:
    assert said in the_line(pristine, change_config(copy_of("m"), **settings), said)


@pytest.mark.parametrize(
    "settings",
    [
        {"rope_parameters": ..., "rope_theta": 10000.0, "rope_scaling": None},
        {"rope_parameters": ...},
        {"rms_norm_eps": 9.999999974752427e-07},
        {"num_key_value_heads": 2.0, "head_dim": ...},
        {"transformers_version": "4.40.0", "torch_dtype": "float16", "use_cache": False, "max_position_embeddings": 4096},
    ],
    ids=["older-rope", "default-rope", "eps-through-float32", "default-head-dim", "harmless"],
)
def test_other_spellings_of_the_same_are_alike(copy_of: CopyOf, pristine: Path, settings: dict[str, Any]) -> None:
    if "num_key_value_heads" in settings:
        settings = settings | {"num_key_value_heads": 2}
    assert lines(pristine, change_config(copy_of("m"), **settings)) == []


def test_scaled_rope_of_both_spellings_is_alike(copy_of: CopyOf) -> None:
    scaling = {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
        "rope_type": "llama3",
    }
    older = change_config(copy_of("older"), rope_parameters=..., rope_theta=5e5, rope_scaling=scaling)
    newer = change_config(copy_of("newer"), rope_parameters=scaling | {"rope_theta": 5e5})
    assert lines(older, newer) == []


def test_another_norm_type_is_named(copy_of: CopyOf, pristine: Path) -> None:
    folder = copy_of("m")
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"model.norm.bias": torch.zeros(64)}, folder / "model.safetensors")
    assert "another norm type" in the_line(pristine, folder, "model.norm.bias")


def test_a_head_that_is_said_to_be_tied_and_is_not(copy_of: CopyOf) -> None:
    folder = change_config(copy_of("m"), tie_word_embeddings=True)
    (line,) = lines(folder, folder)
    assert line.startswith(f"{folder / 'config.json'}: tie_word_embeddings is true, but lm_head.weight differs")


def test_a_head_that_is_said_to_be_there_and_is_not(tmp_path: Path) -> None:
    folder = change_config(write_model(tmp_path / "m", tie_word_embeddings=True), tie_word_embeddings=False)
    (line,) = lines(folder, folder)
    assert "tie_word_embeddings is false, but there is no lm_head.weight" in line


def test_a_config_that_contradicts_the_weights(copy_of: CopyOf) -> None:
    folder = change_config(copy_of("m"), num_hidden_layers=3, hidden_size=128)
    assert [line.split(": ")[1].split(" is ")[0] for line in lines(folder, folder)] == ["num_hidden_layers", "hidden_size"]


def test_a_config_that_transformers_refuses_is_one_line(copy_of: CopyOf) -> None:
    folder = change_config(copy_of("m"), hidden_size="wide")
    with pytest.raises(InputError, match=r"config\.json: .*hidden_size"):
        lines(folder, folder)


def with_tokens(folder: Path, tokens: list[str], **special: str) -> Path:
    return write_tokenizer(folder, tokens, **special)


def test_vocabularies_of_other_heights_and_orders_are_no_obstacle(copy_of: CopyOf, tmp_path: Path) -> None:
    base = with_tokens(copy_of("base"), WORDS)
    taller = with_tokens(write_model(tmp_path / "taller", seed=1, vocab_size=64, bos_token_id=28, eos_token_id=27), WORDS[::-1])
    assert lines(base, taller) == []
    (taller / "tokenizer.json").unlink()
    line = the_line(base, taller, "tokenizer.json: no such file")
    assert "64 and 40 rows" in line


def test_foreign_vocabularies_are_refused(copy_of: CopyOf) -> None:
    base, other = with_tokens(copy_of("base"), WORDS), with_tokens(copy_of("other"), [f"x{row}" for row in range(30)])
    (line,) = lines(base, other)
    assert "tokenizer.json: only 0% of its tokens" in line


def test_a_tokenizer_taller_than_the_embedding_is_named(copy_of: CopyOf) -> None:
    folder = with_tokens(copy_of("m"), [f"w{row}" for row in range(41)])
    (line,) = lines(folder, folder)
    assert "token 'w40' has id 40, but model.embed_tokens.weight has 40 rows" in line


def test_other_special_tokens_are_refused_by_id_and_by_string(copy_of: CopyOf) -> None:
    base = change_config(with_tokens(copy_of("base"), WORDS, bos_token="w1", eos_token="w2"), bos_token_id=1, eos_token_id=2)
    same = change_config(
        with_tokens(copy_of("same"), WORDS, bos_token="w1", eos_token="w2"), bos_token_id=1, eos_token_id=[2, 9]
    )
    assert lines(base, same) == []
    other = change_config(with_tokens(copy_of("other"), WORDS, bos_token="w1", eos_token="w3"), bos_token_id=4, eos_token_id=3)
    (other / "generation_config.json").unlink()
    assert "eos_token_id is 'w3', but 'w2'" in the_line(base, other, "config.json: eos_token_id")
    assert "bos_token_id is 'w4', but 'w1'" in the_line(base, other, "config.json: bos_token_id")
    assert "eos_token is 'w3', but 'w2'" in the_line(base, other, "tokenizer_config.json: eos_token")


def test_the_same_special_token_at_another_id_is_no_obstacle(copy_of: CopyOf) -> None:
    base = change_config(with_tokens(copy_of("base"), WORDS), eos_token_id=2, bos_token_id=1)
    turned = change_config(with_tokens(copy_of("turned"), WORDS[::-1]), eos_token_id=27, bos_token_id=28)
    for folder in (base, turned):
        (folder / "generation_config.json").unlink()
    assert lines(base, turned) == []


def test_special_tokens_are_compared_with_the_model_that_gives_the_tokenizer(copy_of: CopyOf) -> None:
    base = change_config(with_tokens(copy_of("base"), WORDS, eos_token="w2"), eos_token_id=2)
    chats = [change_config(with_tokens(copy_of(name), WORDS, eos_token="w3"), eos_token_id=3) for name in ("one", "two")]
    for folder in (base, *chats):
        (folder / "generation_config.json").unlink()
    one, two = (opened(folder) for folder in chats)
    assert len(check(opened(base), [one, two])) == 4
    assert check(opened(base), [one, two], tokenizer=one) == []


def test_padding_tokens_matter_only_where_both_have_one_of_their_own(copy_of: CopyOf) -> None:
    base = change_config(with_tokens(copy_of("base"), WORDS, eos_token="w2", pad_token="w5"), eos_token_id=2, pad_token_id=5)
    other = change_config(with_tokens(copy_of("other"), WORDS, eos_token="w2", pad_token="w6"), eos_token_id=2, pad_token_id=6)
    ends = change_config(with_tokens(copy_of("ends"), WORDS, eos_token="w2", pad_token="w2"), eos_token_id=2, pad_token_id=2)
    assert "pad_token is 'w6', but 'w5'" in the_line(base, other, "tokenizer_config.json: pad_token")
    assert lines(base, ends) == []


def test_require_gives_the_first_and_counts_the_rest(pristine: Path, copy_of: CopyOf) -> None:
    folder = change_config(copy_of("m"), rms_norm_eps=1e-5, hidden_act="gelu")
    with pytest.raises(InputError, match=r"rms_norm_eps is .* \(and 1 more\)$"):
        require(opened(pristine), [opened(folder)])


def test_require_finds_nan(pristine: Path, copy_of: CopyOf) -> None:
    folder = copy_of("m")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.norm\.weight holds NaN or Inf"):
        require(opened(pristine), [opened(folder)])


def test_adapters_on_the_base_merge(pristine: Path, tmp_path: Path) -> None:
    get_peft_model(LlamaForCausalLM.from_pretrained(pristine), LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(
        tmp_path / "a"
    )
    base = opened(pristine)
    assert check(base, [base, open_source(f"{pristine}+a", relative_to=tmp_path)]) == []
