"""Children with another tokenizer, or with an adapter's: their folders as transformers and peft have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.fixed_merge.fixed_merge import open_fixed, write_fixed
from evomerge_core.fixed_merge.merge_file import fixed_in
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.model_folder.vocabulary_settings import with_vocabulary
from evomerge_core.sources.source import open_source
from evomerge_core.sources.vocabulary.child_vocabulary import child_vocabulary
from support.merging_models import merge_of
from support.speaking_models import (
    CHATML,
    EMBEDDING,
    HEAD,
    TURNS,
    change_json,
    logits,
    read,
    write_speaking,
    write_tokenizer,
    write_weights,
)

START, END = 280, 281
IDS = (1, 5, 9, 100, 279)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`base` and `alpaca` end with </s> and have 280 rows; `chatml` has two more, and ends turns with the second."""
    folder = tmp_path_factory.mktemp("speaking")
    base = write_speaking(folder / "base")
    write_speaking(folder / "alpaca", seed=1, like=base)
    write_speaking(folder / "chatml", TURNS, eos="<|im_end|>", template=CHATML, seed=2, like=base)
    return folder


def halves(*names: str) -> MergeConfig:
    merge = merge_of("task_arithmetic", {name: {"weight": 0.5} for name in names}, "base")
    return replace(merge, out_dtype="float32")


def merge(folder: Path, config: MergeConfig, out: Path) -> Path:
    write_fixed(out, config, open_fixed(config, relative_to=folder), "a: recipe\n", "mergekit_config.yml")
    return out


def ends_of(folder: Path) -> list[int]:
    """What generate() stops at."""
    found = AutoModelForCausalLM.from_pretrained(folder).generation_config.eos_token_id
    return found if isinstance(found, list) else [found]


def test_a_child_with_a_taller_tokenizer_has_its_rows_and_says_so(models: Path, tmp_path: Path) -> None:
    out = merge(models, replace(halves("chatml"), tokenizer="chatml"), tmp_path / "out")
    assert read(out / "config.json")["vocab_size"] == 282
    base, tuned = (load_file(models / name / "model.safetensors") for name in ("base", "chatml"))
    for name in (EMBEDDING, HEAD):
        # what the base has no row for is the tokenizer's own model's
        expected = torch.cat([base[name] + 0.5 * (tuned[name][:280] - base[name]), tuned[name][280:]])
        torch.testing.assert_close(load_file(out / "model.safetensors")[name], expected, rtol=0, atol=1e-6)
    assert logits(out, [*IDS, START]).shape == (6, 282)
    assert len(AutoTokenizer.from_pretrained(out)) == 282


def test_a_child_with_a_lower_tokenizer_has_its_rows_and_says_so(models: Path, tmp_path: Path) -> None:
    config = replace(merge_of("linear", {"chatml": {"weight": 1.0}, "alpaca": {"weight": 1.0}}), out_dtype="float32")
    out = merge(models, replace(config, tokenizer="alpaca"), tmp_path / "out")
    assert read(out / "config.json")["vocab_size"] == 280
    assert logits(out, IDS).shape == (5, 280)
    assert ends_of(out) == [2]


def test_ends_template_and_padding_follow_the_tokenizer(tmp_path: Path) -> None:
    write_speaking(tmp_path / "models" / "base", pad_token_id=7)
    write_speaking(
        tmp_path / "models" / "chat",
        (*TURNS, "<pad>"),
        eos="<|im_end|>",
        pad="<pad>",
        template=CHATML,
        pad_token_id=282,
        seed=1,
    )
    change_json(tmp_path / "models" / "chat" / "generation_config.json", eos_token_id=[END, 2], pad_token_id=282)
    out = merge(tmp_path / "models", replace(halves("chat"), tokenizer="chat"), tmp_path / "out")
    for file in ("config.json", "generation_config.json"):
        stated = read(out / file)
        assert (stated["eos_token_id"], stated["bos_token_id"], stated["pad_token_id"]) == ([END, 2], 1, 282)
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.chat_template) == (END, 282, CHATML)


def test_generate_stops_where_a_turn_ends(tmp_path: Path) -> None:
    """A network that writes <|im_end|> for ever, whatever it reads."""
    for name in ("base", "chatml"):
        network = write_weights(tmp_path / name, 282)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
            network.model.norm.weight.fill_(1)
            network.model.embed_tokens.weight.fill_(1)
            network.lm_head.weight[END] = 1
        network.save_pretrained(tmp_path / name)
    write_tokenizer(tmp_path / "base", TURNS)
    write_tokenizer(tmp_path / "chatml", TURNS, eos="<|im_end|>", template=CHATML)
    for file in ("config.json", "generation_config.json"):
        change_json(tmp_path / "chatml" / file, eos_token_id=END)
    out = merge(tmp_path, replace(halves("chatml"), tokenizer="chatml"), tmp_path / "out")
    written = AutoModelForCausalLM.from_pretrained(out).generate(torch.tensor([[1, 5]]), max_new_tokens=6, do_sample=False)
    assert written.tolist() == [[1, 5, END]]


TWO_WAYS = """
merge_method: task_arithmetic
base_model: base
models:
  - {model: alpaca, parameters: {weight: 0.5}}
  - {model: chatml, parameters: {weight: 0.5}}
dtype: float32
"""


def merge_file(folder: Path, text: str, out: Path) -> Path:
    out.with_suffix(".yml").write_text(text, encoding="utf-8")
    file = fixed_in(read_yaml(out.with_suffix(".yml")))
    write_fixed(out, file.fixed, open_fixed(file.fixed, relative_to=folder), file.text, file.name)
    return out


def test_models_that_end_turns_in_two_ways_merge_as_the_refusal_says(models: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"eos_token_id is '<\|im_end\|>', but '</s>' in base") as refused:
        merge_file(models, TWO_WAYS, tmp_path / "refused")
    assert re.findall(r"`tokenizer_source: ([^`]+)`", str(refused.value)) == ["chatml", "base"]
    for name, ends, rows in (("chatml", [END, 2], 282), ("base", [2], 280), ("alpaca", [2], 280)):
        out = merge_file(models, f"{TWO_WAYS}tokenizer_source: {name}\n", tmp_path / name)
        assert (ends_of(out), read(out / "config.json")["vocab_size"]) == (ends, rows)


def test_a_child_that_keeps_the_bases_tokenizer_also_ends_as_its_other_parent_does(tmp_path: Path) -> None:
    base = write_speaking(tmp_path / "base", TURNS)
    write_speaking(tmp_path / "chat", TURNS, eos="<|im_end|>", template=CHATML, seed=1, like=base)
    config = replace(merge_of("linear", {"base": {"weight": 1.0}, "chat": {"weight": 1.0}}), tokenizer="base")
    with pytest.raises(InputError, match="choose whose tokenizer"):
        open_fixed(config, relative_to=tmp_path)
    chosen = str(tmp_path / "base")
    out = merge(tmp_path, replace(config, tokenizer=chosen, out_dtype="float32"), tmp_path / "out")
    assert ends_of(out) == [2, END]


def test_the_tokenizer_may_be_a_models_that_is_not_merged(models: Path, tmp_path: Path) -> None:
    out = merge(models, replace(halves("alpaca"), tokenizer="chatml"), tmp_path / "out")
    base, tuned, other = (load_file(models / name / "model.safetensors") for name in ("base", "alpaca", "chatml"))
    expected = torch.cat([base[HEAD] + 0.5 * (tuned[HEAD] - base[HEAD]), other[HEAD][280:]])
    torch.testing.assert_close(load_file(out / "model.safetensors")[HEAD], expected, rtol=0, atol=1e-6)
    assert ends_of(out) == [END, 2]


def test_a_tokenizer_of_another_family_is_refused_in_one_line(models: Path, tmp_path: Path) -> None:
    wide = str(write_speaking(tmp_path / "wide", hidden_size=64))
    with pytest.raises(InputError, match=r"wide: config\.json: hidden_size is 64, but 32 in base") as refused:
        open_fixed(replace(halves("alpaca"), tokenizer=wide), relative_to=models)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("template", [None, "auto"])
def test_the_template_that_most_models_mean_is_taken(tmp_path: Path, template: str | None) -> None:
    one, most = (
        "{% for m in messages %}[X]{{ m['content'] }}{% endfor %}",
        "{% for m in messages %}[Y]{{ m['content'] }}{% endfor %}",
    )
    base = write_speaking(tmp_path / "base", template=one)
    write_speaking(tmp_path / "file", seed=1, like=base)
    (tmp_path / "file" / "chat_template.jinja").write_text(most + "\r\n", encoding="utf-8", newline="")
    write_speaking(tmp_path / "list", seed=2, like=base)
    named = [{"name": "default", "template": most}, {"name": "tool_use", "template": "-"}]
    change_json(tmp_path / "list" / "tokenizer_config.json", chat_template=named)
    out = merge(tmp_path, replace(halves("file", "list"), chat_template=template), tmp_path / "out")
    said = AutoTokenizer.from_pretrained(out).apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert said.strip() == ("[X]hi" if template is None else "[Y]hi")


def write_adapter(folder: Path, base: Path, rows: int, added: Sequence[str], **settings: Any) -> Path:
    """An adapter as peft saves it after its model was resized to `rows`, with the tokenizer that it was trained with."""
    network = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    network.resize_token_embeddings(rows, mean_resizing=False)
    torch.manual_seed(7)
    trained = get_peft_model(network, LoraConfig(r=2, lora_alpha=4, init_lora_weights=False, **settings))
    with torch.no_grad():
        for parameter in trained.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape)
    trained.save_pretrained(folder)
    write_tokenizer(folder, added, eos="<|im_end|>" if "<|im_end|>" in added else "</s>", template=CHATML)
    return folder


def unloaded(folder: Path, base: Path, adapter: Path, rows: int) -> Path:
    """The same model as peft merges it."""
    network = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    network.resize_token_embeddings(rows, mean_resizing=False)
    PeftModel.from_pretrained(network, adapter).merge_and_unload().save_pretrained(folder)
    return folder


TRAINED: dict[str, Any] = {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]}
# The base's rows beyond its tokens, the adapter's rows, its new tokens, peft's settings.
ADAPTERS: dict[str, tuple[int, int, Sequence[str], dict[str, Any]]] = {
    "new tokens, embedding and head trained": (0, 282, TURNS, TRAINED),
    "new tokens, embedding and head saved by peft itself": (0, 283, (*TURNS, "<pad>"), {"target_modules": ["q_proj"]}),
    "new tokens, pairs on embedding and head": (0, 282, TURNS, {"target_modules": ["q_proj", "embed_tokens", "lm_head"]}),
    "fewer rows than a padded base": (24, 282, TURNS, TRAINED),
    "new tokens in a padded base's rows": (24, 304, TURNS, TRAINED),
    "no new tokens, rows cut to the tokenizer": (24, 280, (), TRAINED),
}


@pytest.mark.parametrize("case", ADAPTERS)
def test_an_adapter_that_changed_the_vocabulary_is_what_peft_makes_of_it(tmp_path: Path, case: str) -> None:
    padded, rows, added, settings = ADAPTERS[case]
    base = write_speaking(tmp_path / "base", padded=padded)
    adapter = write_adapter(tmp_path / "adapter", base, rows, added, **settings)
    config = replace(merge_of("passthrough", {"base+adapter": {}}), out_dtype="float32")
    out = merge(tmp_path, config, tmp_path / "out")
    assert read(out / "config.json")["vocab_size"] == rows
    right = unloaded(tmp_path / "right", base, adapter, rows)
    ids = (*IDS, *range(280, 280 + len(added)))
    torch.testing.assert_close(logits(out, ids), logits(right, ids), rtol=0, atol=1e-5)
    assert set(ends_of(out)) == ({2, END} if added else {2})
    assert AutoTokenizer.from_pretrained(out).chat_template == CHATML


def test_an_adapter_with_new_tokens_merges_into_its_base(tmp_path: Path) -> None:
    """In the base's vocabulary unasked, in the adapter's when it is chosen."""
    base = write_speaking(tmp_path / "base", padded=24)
    write_adapter(tmp_path / "adapter", base, 282, TURNS, **TRAINED)
    config = replace(merge_of("task_arithmetic", {"base+adapter": {"weight": 1.0}}, "base"), out_dtype="float32")
    with pytest.raises(InputError, match="choose whose tokenizer"):
        open_fixed(config, relative_to=tmp_path)
    out = merge(tmp_path, replace(config, tokenizer="base+adapter"), tmp_path / "out")
    right = unloaded(tmp_path / "right", base, tmp_path / "adapter", 282)
    torch.testing.assert_close(logits(out, (*IDS, START, END)), logits(right, (*IDS, START, END)), rtol=0, atol=1e-5)


def test_an_adapter_that_cut_the_padding_merges_with_its_base(tmp_path: Path) -> None:
    """Rows that it lacks are the base's; it brings no tokenizer of its own."""
    base = write_speaking(tmp_path / "base", padded=24)
    adapter = write_adapter(tmp_path / "adapter", base, 280, (), **TRAINED)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (adapter / file).unlink()
    config = replace(merge_of("task_arithmetic", {"base+adapter": {"weight": 0.5}}, "base"), out_dtype="float32")
    out = merge(tmp_path, config, tmp_path / "out")
    right = unloaded(tmp_path / "right", base, adapter, 280)
    before, after, found = (load_file(folder / "model.safetensors")[HEAD] for folder in (base, right, out))
    expected = torch.cat([before[:280] + 0.5 * (after - before[:280]), before[280:]])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert logits(out, IDS).shape == (5, 304)


def test_a_padding_token_beyond_the_rows_is_left_out(tmp_path: Path) -> None:
    """torch refuses to build an embedding with a padding index that it has no row for."""
    base = write_speaking(tmp_path / "base", padded=8, pad_token_id=287)
    write_adapter(tmp_path / "adapter", base, 280, (), **TRAINED)
    out = merge(tmp_path, replace(merge_of("passthrough", {"base+adapter": {}}), out_dtype="float32"), tmp_path / "out")
    assert logits(out, IDS).shape == (5, 280)


def test_settings_inside_of_text_config_follow_too(models: Path) -> None:
    giver, template = (open_source(name, relative_to=models) for name in ("chatml", "base"))
    speaks = child_vocabulary(giver, [template])
    nested = {"model_type": "llava", "eos_token_id": 2, "text_config": {"vocab_size": 280, "eos_token_id": 2}}
    changed = with_vocabulary(nested, template, speaks)
    assert changed["text_config"] == {"vocab_size": 282, "eos_token_id": [END, 2], "bos_token_id": 1}
    assert changed["eos_token_id"] == [END, 2]
    assert "vocab_size" not in changed


def test_a_merge_file_of_the_old_spelling_takes_the_models_tokenizer(models: Path, tmp_path: Path) -> None:
    text = "merge_method: linear\nmodels:\n  - {model: alpaca, parameters: {weight: 1.0}}\ntokenizer_source: model:chatml\n"
    out = merge_file(models, text, tmp_path / "out")
    assert read(out / "config.json")["vocab_size"] == 282
