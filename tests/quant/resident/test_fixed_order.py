"""The resident model's sums in a fixed order: right, and the same whatever else is in a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig

from evomerge_core.processor import processor_name
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident import memory
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network.fixed_attention import attend
from evomerge_quant.resident.network.skeleton import Precision
from support.tiny_models import FAMILIES, save_tokenizer

MakeFolder = Callable[..., Path]
QUESTIONS = [
    Question(" ".join(f"w{(7 * i + 13 * j) % 250 + 30}" for j in range(3 + i)), gold=f"w{60 + i} w61 w62", max_new_tokens=8)
    for i in range(11)
]


def resident(folder: Path, batch_size: int, precision: Precision = "nf4") -> ResidentModel:
    model = build(folder, precision=precision, device="cpu", batch_size=batch_size)
    model.load(load_file(folder / "model.safetensors").items())
    return model


# GPT-NeoX's exact GELU is oneDNN's, which follows the instruction set.
FIXED_FAMILIES = [family for family in FAMILIES if family != "gpt-neox"]


@pytest.mark.parametrize("family", FIXED_FAMILIES)
def test_answers_and_log_probabilities_are_the_same_in_batches_of_any_size(model_folder: MakeFolder, family: str) -> None:
    """To the last digit: with padding of other lengths, other neighbours, and products of other sizes."""
    folder = model_folder(family)
    alone = resident(folder, 1)
    together = alone.answer(QUESTIONS)
    for size in (3, 64):
        assert resident(folder, size).answer(QUESTIONS) == together
    assert [alone.answer([question])[0] for question in QUESTIONS] == together
    assert alone.scored_on == "CPU, float32 in fixed order"


@pytest.mark.parametrize("precision", ["int5", "int8"])
@pytest.mark.parametrize("unpacked", [True, False], ids=["unpacked", "packed"])
def test_5_and_8_bits_give_the_same_answers_in_batches_of_any_size_with_any_number_of_threads(
    model_folder: MakeFolder, precision: Precision, unpacked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder("qwen2")
    if not unpacked:
        monkeypatch.setattr(memory, "available_bytes", lambda _: 1000)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = resident(folder, 1, precision)
        expected = alone.answer(QUESTIONS)
        torch.set_num_threads(3)
        assert resident(folder, 64, precision).answer(QUESTIONS) == expected
    finally:
        torch.set_num_threads(before)
    assert alone.scored_on == "CPU, float32 in fixed order"


@pytest.mark.parametrize("threads", [2, 3, 5, 7])
@pytest.mark.parametrize("activation", ["silu", "gelu_pytorch_tanh"])
@pytest.mark.parametrize(("inner", "head"), [(250, 10), (1000, 16), (1368, 40)])
def test_neither_threads_nor_batch_change_a_bit_where_widths_are_odd(
    tmp_path: Path, threads: int, activation: str, inner: int, head: int
) -> None:
    """torch computes what is left of a thread's share by another formula: widths that are no multiple of 16 leave something."""
    sizes = {"vocab_size": 300, "hidden_size": 4 * head, "intermediate_size": inner, "num_hidden_layers": 2, "head_dim": head}
    config = LlamaConfig(**sizes, num_attention_heads=4, hidden_act=activation, initializer_range=0.3)
    torch.manual_seed(inner)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    questions = [Question(" ".join(f"w{(7 * i + j) % 250 + 30}" for j in range(40 + i)), gold="w61 w62") for i in range(20)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = resident(tmp_path, 1).answer(questions)
        torch.set_num_threads(threads)
        assert resident(tmp_path, 64).answer(questions) == expected
    finally:
        torch.set_num_threads(before)


def test_an_activation_of_the_processors_own_kind_is_distinguished(model_folder: MakeFolder) -> None:
    assert build(model_folder("gpt-neox"), precision="fp32", device="cpu").scored_on == f"{processor_name()}, float32"


def test_a_family_that_multiplies_by_itself_is_distinguished(tmp_path: Path) -> None:
    """Experts are one tensor, which torch multiplies in the processor's own order: its name then stands by the scores."""
    sizes = {"vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 4}
    config = MixtralConfig(**sizes, **heads, max_position_embeddings=64)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    assert build(tmp_path, precision="fp32", device="cpu").scored_on == f"{processor_name()}, float32"


def test_bfloat16_is_shown_with_the_processor(model_folder: MakeFolder) -> None:
    model = build(model_folder(), precision="nf4", device="cpu", arithmetic="bfloat16")
    assert model.scored_on == f"{processor_name()}, bfloat16"


def plain_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, cap: float | None, sinks: Tensor | None) -> Tensor:
    """The definition, in float64."""
    q, k, v, mask = (x.double() for x in (q, k, v, mask))
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, dim=1) for x in (k, v))
    scores = q @ k.transpose(2, 3) * 0.3
    if cap is not None:
        scores = torch.tanh(scores / cap) * cap
    scores = scores + mask
    if sinks is not None:
        scores = torch.cat([scores, sinks.double().reshape(1, -1, 1, 1).expand(*scores.shape[:3], 1)], dim=3)
    weights = scores.softmax(dim=-1)
    if sinks is not None:
        weights = weights[..., :-1]
    return (weights @ v).transpose(1, 2)


@pytest.mark.parametrize("cap", [None, 1.5])
@pytest.mark.parametrize("sinks", [False, True])
@pytest.mark.parametrize("widths", [(16, 16), (33, 20)])
def test_attention_is_the_softmax_of_scaled_products(cap: float | None, sinks: bool, widths: tuple[int, int]) -> None:
    torch.manual_seed(5)
    q = torch.randn(3, 7, 4, widths[0]).transpose(1, 2)  # strided as models hand it over
    k, v = torch.randn(3, 2, 19, widths[0]), torch.randn(3, 2, 25, widths[1])[:, :, :19]
    mask = torch.zeros(3, 1, 7, 19).masked_fill_(torch.rand(3, 1, 7, 19) < 0.4, torch.finfo(torch.float32).min)
    mask[..., 0] = 0.5  # something is seen everywhere, with a bias of its own
    aux = torch.randn(4) if sinks else None
    found, _ = attend(nn.Module(), q, k, v, mask, scaling=0.3, softcap=cap, s_aux=aux)
    torch.testing.assert_close(found.double(), plain_attention(q, k, v, mask, cap, aux), rtol=1e-5, atol=1e-6)


def test_without_a_mask_tokens_look_back_alone() -> None:
    q, k, v = (torch.randn(1, 2, 5, 16) for _ in range(3))
    hidden = torch.full((5, 5), torch.finfo(torch.float32).min).triu(1)[None, None]
    assert torch.equal(attend(nn.Module(), q, k, v, None)[0], attend(nn.Module(), q, k, v, hidden)[0])


def test_what_is_no_number_stays_none() -> None:
    q, k, v = torch.full((1, 1, 2, 16), float("nan")), torch.randn(1, 1, 2, 16), torch.randn(1, 1, 2, 16)
    assert attend(nn.Module(), q, k, v, torch.zeros(1, 1, 2, 2))[0].isnan().all()
    q = torch.full((1, 1, 2, 16), float("inf"))
    assert attend(nn.Module(), q, k.abs(), v, torch.zeros(1, 1, 2, 2))[0].isnan().all()
