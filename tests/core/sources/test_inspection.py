from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.inspection import inspect
from evomerge_core.sources.source import open_source
from support.source_models import change_config, write_model, write_tokenizer

CopyOf = Callable[[str], Path]


def test_facts_of_a_model(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", dtype=torch.bfloat16, tie_word_embeddings=True)
    write_tokenizer(folder, [f"w{row}" for row in range(30)], chat_template="{{ messages }}")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\ntags: [merge]\n---\n# Model\n", encoding="utf-8")
    facts = inspect(open_source("m", relative_to=tmp_path))
    model = LlamaForCausalLM.from_pretrained(folder)
    assert facts.architecture == "LlamaForCausalLM"
    assert facts.parameters == model.num_parameters()
    assert facts.dtypes == {"BF16": len(list(model.parameters()))}
    assert (facts.layers, facts.hidden_size, facts.intermediate_size, facts.heads, facts.kv_heads) == (2, 64, 96, 4, 2)
    assert (facts.rows, facts.tokens, facts.context, facts.tied) == (40, 30, 128, True)
    assert facts.rope == {"rope_type": "default", "rope_theta": 10000.0}
    assert (facts.norm, facts.licence, facts.chat_template, facts.problems) == ("RMSNorm 1e-06", "apache-2.0", True, ())
    assert facts.bytes == sum(path.stat().st_size for path in folder.iterdir() if path.name != "README.md")
    assert facts.adapter is None
    assert json.loads(json.dumps(dataclasses.asdict(facts)))["reference"] == "m"


def test_facts_of_an_adapter(pristine: Path, tmp_path: Path) -> None:
    tuned = get_peft_model(
        LlamaForCausalLM.from_pretrained(pristine), LoraConfig(r=4, lora_alpha=12, target_modules=["q_proj", "up_proj"])
    )
    tuned.save_pretrained(tmp_path / "lora")
    facts = inspect(open_source(f"{pristine}+lora", relative_to=tmp_path))
    assert facts.adapter is not None
    assert (facts.adapter.rank, facts.adapter.alpha, facts.adapter.targets) == (4, 12.0, ("q_proj", "up_proj"))
    assert facts.adapter.parameters == tuned.get_nb_trainable_parameters()[0]
    assert facts.sha256 != inspect(open_source(str(pristine), relative_to=tmp_path)).sha256


def test_facts_of_another_architecture(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=40, n_positions=64)).save_pretrained(
        tmp_path / "gpt2"
    )
    facts = inspect(open_source("gpt2", relative_to=tmp_path))
    assert (facts.layers, facts.hidden_size, facts.heads, facts.context, facts.rows) == (2, 32, 2, 64, 40)
    assert (facts.norm, facts.tied, facts.tokens, facts.licence, facts.chat_template) == (
        "LayerNorm 1e-05",
        True,
        None,
        None,
        False,
    )


def test_problems_are_listed(copy_of: CopyOf, tmp_path: Path) -> None:
    folder = change_config(copy_of("m"), num_hidden_layers=5)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] = float("inf")
    save_file(tensors, folder / "model.safetensors")
    (folder / "README.md").write_text("---\nlicense: [broken\n---\n")
    facts = inspect(open_source("m", relative_to=tmp_path))
    assert ["num_hidden_layers" in line or "NaN or Inf" in line for line in facts.problems] == [True, True]
    assert facts.licence is None


def test_a_difference_names_the_setting_and_where_it_is(pristine: Path, copy_of: CopyOf, tmp_path: Path) -> None:
    change_config(copy_of("m"), rms_norm_eps=1e-5)
    base, other = (open_source(reference, relative_to=tmp_path) for reference in (str(pristine), "m"))
    (difference,) = check(base, [other])
    assert difference.problem.startswith("rms_norm_eps is 1e-05")
    assert difference.where == "m: config.json"
