"""Models and adapters are found in folders and in the hub's cache, with what they are and what is wrong with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from evomerge_core.discovery.fit import full_fit, quick_fit
from evomerge_core.discovery.folders import find_in_folders
from evomerge_core.discovery.found import FoundModel, describe
from evomerge_core.discovery.hub_cache import find_in_cache
from evomerge_core.sources.source import open_source
from support.loopback_hub import COMMIT
from support.vision_models import write_text_model, write_vision_model

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 40}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a card, its twin of another width, and an adapter."""
    place = tmp_path_factory.mktemp("made") / "models"  # nobody else's models beside it
    for name, width in (("narrow", 48), ("wide", 64)):
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**{**SIZES, "intermediate_size": width})).to(torch.bfloat16)
        model.save_pretrained(place / name)
    (place / "narrow" / "README.md").write_text("---\nlicense: mit\nbase_model: owner/older\n---\n")
    adapter = place / "lora"
    adapter.mkdir()
    pair = {f"base_model.model.model.layers.{i}.self_attn.q_proj.lora_{f}.weight": torch.zeros(*s) for i in (0, 1)
            for f, s in (("A", (4, 32)), ("B", (32, 4)))}  # fmt: skip
    save_file(pair, adapter / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA",
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["q_proj"],
        "base_model_name_or_path": "owner/older",
    }
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    return place


def by_name(found: list[FoundModel]) -> dict[str, FoundModel]:
    return {Path(model.reference).name: model for model in found}


def test_folders_are_looked_through(made: Path) -> None:
    found = by_name(list(find_in_folders([made.parent, made])))
    narrow = found["narrow"]
    model = LlamaForCausalLM.from_pretrained(made / "narrow")
    assert narrow.parameters == sum(p.numel() for p in model.parameters())
    assert narrow.bytes == (made / "narrow" / "model.safetensors").stat().st_size
    assert (narrow.kind, narrow.architecture) == ("model", "LlamaForCausalLM")
    assert (narrow.licence, narrow.made_from) == ("mit", ("owner/older",))
    assert (found["lora"].kind, found["lora"].parameters, found["lora"].made_from) == ("adapter", 512, ("owner/older",))
    assert found["wide"].licence is None


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda p: (p / "model.safetensors").unlink(), "no such file"),
        (lambda p: (p / "model.safetensors").write_bytes(b"x" * 100), "not a complete safetensors file"),
        (lambda p: (p / "config.json").write_text("{"), "not JSON"),
    ],
)
def test_what_is_broken_is_listed_with_the_reason(made: Path, tmp_path: Path, spoil: object, word: str) -> None:
    shutil.copytree(made / "narrow", tmp_path / "narrow")
    spoil(tmp_path / "narrow")  # type: ignore[operator]
    (found,) = find_in_folders([tmp_path])
    assert word in found.problem


def test_folders_that_are_not_there_hold_nothing(tmp_path: Path) -> None:
    assert list(find_in_folders([tmp_path / "nowhere"])) == []


def cached(cache: Path, name: str, folder: Path, ref: str | None = "main") -> Path:
    """The hub's cache as its library lays it out."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(folder, snapshot)
    if ref is not None:
        (repository / "refs").mkdir()
        (repository / "refs" / ref).write_text(COMMIT)
    return snapshot


def test_the_hubs_cache_is_looked_through(made: Path, tmp_path: Path) -> None:
    cached(tmp_path, "owner/whole", made / "narrow")
    cached(tmp_path, "owner/pinned", made / "wide", ref=None)
    part = cached(tmp_path, "owner/part", made / "narrow")
    (part / "model.safetensors").unlink()
    found = {model.reference: model for model in find_in_cache(tmp_path)}
    assert set(found) == {"owner/whole", f"owner/pinned@{COMMIT}", "owner/part"}
    assert (found["owner/whole"].where, found["owner/whole"].problem) == ("cache", "")
    assert (found["owner/part"].where, found["owner/part"].problem) == ("hub", "")
    assert list(find_in_cache(tmp_path / "nowhere")) == []


def test_what_fits_is_reported_with_the_reason(made: Path, tmp_path: Path) -> None:
    base = open_source(str(made / "narrow"), relative_to=made)
    assert full_fit(str(made / "narrow"), base, relative_to=made).fits
    wide = full_fit(str(made / "wide"), base, relative_to=made)
    assert wide.fits is False
    assert "intermediate_size is 64, but 48" in wide.reason
    assert full_fit(f"{made / 'narrow'}+{made / 'lora'}", base, relative_to=made).fits
    assert "no such folder" in full_fit(str(tmp_path / "nowhere"), base, relative_to=made).reason


def test_a_model_that_sees_is_known_and_may_take_a_text_model_of_another_class(tmp_path: Path) -> None:
    write_vision_model(tmp_path / "seeing", "llava")
    write_text_model(tmp_path / "text", "llava")
    seeing, text = (describe(tmp_path / name, str(tmp_path / name), "folder") for name in ("seeing", "text"))
    assert (seeing.sees, text.sees) == (True, False)
    assert seeing.architecture != text.architecture
    assert quick_fit(text, seeing).fits is None
    assert quick_fit(seeing, text).fits is None
    assert full_fit(text.reference, open_source(seeing.reference, relative_to=tmp_path), relative_to=tmp_path).fits


def test_listed_facts_tell_some_misfits_at_once() -> None:
    base = FoundModel("owner/llama", "model", "hub", "LlamaForCausalLM", 10)
    assert quick_fit(FoundModel("owner/qwen", "model", "hub", "Qwen2ForCausalLM", 10), base).fits is False
    assert quick_fit(FoundModel("owner/other", "model", "hub", "LlamaForCausalLM", 10), base).fits is None
    lora = FoundModel("owner/lora", "adapter", "hub", "LoRA", made_from=("owner/third",))
    assert quick_fit(lora, base).fits is False
    assert quick_fit(FoundModel("owner/gguf", "model", "hub", problem="a GGUF"), base).fits is False
