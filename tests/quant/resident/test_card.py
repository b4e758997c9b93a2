"""The resident model on a pretended card: the CPU's answers exactly, and everything where it belongs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from evomerge_core.tasks.evaluator import Answer, CandidateError, Question
from evomerge_quant.gguf.proof.comparison import Stretch
from evomerge_quant.gguf.proof.proof_items import ProofItem
from evomerge_quant.gguf.proof.reference import Reference
from evomerge_quant.resident import memory, model
from evomerge_quant.resident.answering import answering, attention, prefill
from evomerge_quant.resident.answering.decoding.seated import seat_rows
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network import carry
from evomerge_quant.resident.network.few_bits import nf4
from evomerge_quant.resident.network.few_bits.nf4_linear import Nf4Linear
from evomerge_quant.resident.network.skeleton import FEW_BITS, Precision
from support.path_models import follow, random_path, write_pair
from support.pretended_card import CARD, CardTensor, pretended_card
from support.tiny_models import FAMILIES, make_folder

MakeFolder = Callable[..., Path]
QUESTIONS = [
    *(Question(" ".join(f"w{(7 * i + 13 * j) % 250 + 30}" for j in range(3 + i)), "w60 w61", (), 8) for i in range(7)),
    Question("w30 w31", choices=("w44", "w55 w66")),
]


@pytest.fixture(autouse=True)
def _packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card, the CPU keeps no unpacked values, torch adds up as it likes, attends in one kernel, and rows have seats."""
    monkeypatch.setattr(memory, "unpacked_fits", lambda *_, **__: False)
    monkeypatch.setattr(model, "fix_order", lambda _: False)
    monkeypatch.setattr(model, "attend_plainly_if_needed", lambda *_: False)
    monkeypatch.setattr(answering, "_make_batch", seat_rows)


def loaded(folder: Path, precision: Precision, device: Any) -> ResidentModel:
    arithmetic: Any = "auto" if device == "cuda" else "bfloat16"
    made = build(folder, precision=precision, device=device, arithmetic=arithmetic, batch_size=4)
    made.load(load_file(folder / "model.safetensors").items())
    return made


def answers_on_card(folder: Path, precision: Precision) -> list[Answer]:
    with pretended_card():
        return loaded(folder, precision, "cuda").answer(QUESTIONS)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_answers_as_on_the_cpu(tmp_path: Path, family: str) -> None:
    # bitsandbytes unpacks rows wrongly on some processors where they are no multiple of 64 wide
    folder = make_folder(tmp_path, family, intermediate_size=128)
    assert answers_on_card(folder, "nf4") == loaded(folder, "nf4", "cpu").answer(QUESTIONS)


@pytest.mark.parametrize("precision", ["int5", "int8", "bf16", "fp32"])
def test_every_precision_answers_as_on_the_cpu(model_folder: MakeFolder, precision: Precision) -> None:
    folder = model_folder("qwen2")
    assert answers_on_card(folder, precision) == loaded(folder, precision, "cpu").answer(QUESTIONS)


def test_a_path_answers_as_on_the_cpu(tmp_path: Path) -> None:
    from evomerge_core.merging.engine import MergeEngine
    from evomerge_core.paths.pool import pool_layers, stream_pool

    pair, path = write_pair(tmp_path, "llama"), random_path(3)

    def answers(device: Any, arithmetic: Any) -> list[Answer]:
        layers = pool_layers(pair.pool)
        made = build(pair.folders[0], precision="int8", device=device, arithmetic=arithmetic, layers=layers, batch_size=4)
        made.load(stream_pool(pair.members, pair.sources, MergeEngine(pair.sources)))
        follow(made, pair, path)
        return made.answer(QUESTIONS)

    on_cpu = answers("cpu", "bfloat16")
    with pretended_card():
        assert answers("cuda", "auto") == on_cpu


def test_an_exports_reference_answers_as_on_the_cpu(model_folder: MakeFolder) -> None:
    folder, items = model_folder("llama"), [ProofItem(question) for question in QUESTIONS]
    on_cpu = Reference(folder, items)
    stretches = [Stretch((*row.prompt, *row.gold), 1) for row in on_cpu.rows]
    with pretended_card() as card:
        on_card = Reference(folder, items)
        assert card.allocated > 0
        assert on_card.precision == "fp32"
        assert on_card.answers == on_cpu.answers
        for found, expected in zip(on_card.logits(stretches), on_cpu.logits(stretches), strict=True):
            assert torch.equal(found.cpu(), expected)


def targets_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    right = prefill._targets
    monkeypatch.setattr(prefill, "_targets", lambda rows, _: right(rows, torch.device("cpu")))


def a_loop_of_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: Nf4Linear, weight: Tensor) -> Tensor:
        return torch.tensor(nf4.quantize(weight.to(CARD), self.weight.data, self.quant_state.absmax))

    monkeypatch.setattr(Nf4Linear, "_take_on_card", take)


def positions_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    right = prefill._place

    def place(*arguments: Any) -> Any:
        placed = right(*arguments)
        return prefill.PlacedTokens(placed.tokens, placed.positions.cpu(), placed.branches)

    monkeypatch.setattr(prefill, "_place", place)


def a_mask_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    right = attention._mask
    monkeypatch.setattr(attention, "_mask", lambda *arguments: right(*arguments).cpu())


FAULTS = [targets_on_the_cpu, a_loop_of_the_cpus, positions_on_the_cpu, a_mask_on_the_cpu]


@pytest.mark.parametrize("plant", FAULTS)
def test_a_tensor_on_the_wrong_device_is_found(
    model_folder: MakeFolder, plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises((RuntimeError, TypeError), match=r"same device|means nothing to a loop|device type tensor"):
        answers_on_card(model_folder("llama"), "nf4")


def test_the_card_counts_what_lives_and_what_lived_at_once() -> None:
    with pretended_card(10_000) as card:
        first = torch.zeros(1000, dtype=torch.uint8, device="cuda")
        view = first[:10]
        assert (card.allocated, card.peak) == (1000, 1000)
        second = first + 1
        assert card.allocated == 2000
        del first
        assert card.allocated == 2000  # the view still holds it
        del view, second
        assert (card.allocated, card.peak, card.reserved, card.free) == (0, 2000, 2000, 8000)
        torch.cuda.empty_cache()
        assert torch.cuda.mem_get_info() == (10_000, 10_000)
        with pytest.raises(torch.OutOfMemoryError):
            torch.zeros(10_001, dtype=torch.uint8, device="cuda")


def test_numbers_go_up_and_come_back() -> None:
    with pretended_card():
        numbers = torch.arange(6.0).to("cuda")
        assert isinstance(numbers, CardTensor)
        assert numbers.device == CARD
        assert (numbers * 2).cpu().tolist() == [0, 2, 4, 6, 8, 10]
        with pytest.raises(TypeError):
            numbers.numpy()


@pytest.mark.parametrize("shape", [(700, 130), (64, 64), (3, 4000)])
@pytest.mark.parametrize("precision", FEW_BITS)
def test_a_weight_that_is_carried_in_parts_gets_the_codes_of_the_whole(
    shape: tuple[int, int], precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carry, "PART_BYTES", 1 << 14)
    torch.manual_seed(1)
    weight = torch.randn(shape).bfloat16()
    on_cpu = FEW_BITS[precision](torch.nn.Linear(shape[1], shape[0], bias=False), torch.bfloat16)
    on_cpu.place(torch.device("cpu"), unpacked=False)
    assert on_cpu.take(weight)
    with pretended_card():
        on_card = FEW_BITS[precision](torch.nn.Linear(shape[1], shape[0], bias=False), torch.bfloat16)
        on_card.place(torch.device("cuda"), unpacked=False)
        assert on_card.take(weight)
        assert torch.equal(on_card.weight.data.cpu(), on_cpu.weight.data)
        scales = [layer.quant_state.absmax if precision == "nf4" else layer.scales for layer in (on_card, on_cpu)]
        assert torch.equal(scales[0].cpu(), scales[1])


@pytest.mark.parametrize("precision", ["nf4", "int8", "bf16"])
@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "model.embed_tokens.weight"])
def test_a_tensor_with_nan_is_named_though_nothing_waits_for_it(
    model_folder: MakeFolder, precision: Precision, name: str
) -> None:
    folder = model_folder()
    tensors = load_file(folder / "model.safetensors")
    tensors[name].view(-1)[-1] = torch.nan
    with pretended_card():
        made = build(folder, precision=precision, device="cuda")
        with pytest.raises(CandidateError, match=name.replace(".", r"\.")):
            made.load(tensors.items())


@pytest.mark.parametrize("precision", ["nf4", "int8", "bf16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_model_is_freed_with_its_last_name(model_folder: MakeFolder, precision: Precision, device: str) -> None:
    """Without waiting for Python to look for circles: the next model needs the room at once."""
    folder = model_folder()
    with pretended_card() as card:
        gc.collect()
        gc.disable()
        try:
            made = loaded(folder, precision, device)
            made.answer(QUESTIONS)
            layers = [weakref.ref(module) for module in made.module.modules()]
            assert (card.allocated > 0) == (device == "cuda")
            del made
            assert [layer for layer in layers if layer() is not None] == []
            assert card.allocated == 0
        finally:
            gc.enable()
