"""Texts of any length in bfloat16 on the CPU, also where torch's own attention fails there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.model import build
from evomerge_quant.resident.network import plain_attention

MakeFolder = Callable[..., Path]
PROMPT = " ".join(f"w{(7 * place) % 250 + 30}" for place in range(100))


@pytest.mark.parametrize("family", ["llama", "qwen2", "mistral-window"])
@pytest.mark.parametrize("works", [False, None], ids=["fails", "as here"])
def test_a_long_text_in_bfloat16_has_transformers_likelihood(
    model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, family: str, works: bool | None
) -> None:
    folder = model_folder(family)
    if works is not None:
        monkeypatch.setattr(plain_attention, "fused_attention_works", lambda _: works)
    model = build(folder, precision="bf16", device="cpu", arithmetic="bfloat16")
    model.load(load_file(folder / "model.safetensors").items())
    (answer,) = model.answer([Question(PROMPT, gold="w40 w41", max_new_tokens=0)])
    assert answer.gold_logprob == pytest.approx(likelihood(folder), rel=0.02)
    assert (model.module.config._attn_implementation == "eager") == (not plain_attention.fused_attention_works(torch.bfloat16))


def likelihood(folder: Path) -> float:
    """By transformers, in float32, of bfloat16 weights."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="eager").float()
    ids = [int(word[1:]) for word in f"{PROMPT} w40 w41".split()] + [2]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return float(sum(logits[place - 1, ids[place]] for place in range(len(ids) - 3, len(ids))))


def test_a_kernel_that_fails_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("pack_vnni2 is only supported when avx512 is supported")

    plain_attention.fused_attention_works.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", fail)
        assert not plain_attention.fused_attention_works(torch.bfloat16)
    # what the process knows of its processor is found anew, here and in every test after this one
    plain_attention.fused_attention_works.cache_clear()
    assert plain_attention.fused_attention_works(torch.float32)
