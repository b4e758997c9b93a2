"""Memory estimates agree with what torch then holds, and batches fit themselves to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from evomerge_core.tasks.evaluator import Question
from evomerge_quant import ram
from evomerge_quant.resident import memory
from evomerge_quant.resident import model as resident_model
from evomerge_quant.resident.answering.room import PassSizes, answering_bytes
from evomerge_quant.resident.answering.row_lengths import RowLengths
from evomerge_quant.resident.model import build
from evomerge_quant.resident.network.few_bits.nf4_linear import Nf4Linear
from evomerge_quant.resident.network.skeleton import Precision, few_bit_layers
from support.tiny_models import FAMILIES

MakeFolder = Callable[..., Path]
CPU = torch.device("cpu")


def held_bytes(model: torch.nn.Module) -> int:
    """What torch holds: each storage once, beside parameters the scales and values of layers of few bits."""
    tensors = list(model.parameters())
    for layer in few_bit_layers(model):
        scales = layer.quant_state.absmax if isinstance(layer, Nf4Linear) else layer.scales
        tensors += [scales, *([] if layer.dense is None else [layer.dense])]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


@pytest.mark.parametrize("family", ["llama", "llama-tied", "qwen2"])
@pytest.mark.parametrize("precision", ["nf4", "int5", "int8", "bf16", "fp32"])
@pytest.mark.parametrize("unpacked", [True, False])
def test_resident_bytes_are_what_torch_holds(
    model_folder: MakeFolder, family: str, precision: Precision, unpacked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder(family)
    monkeypatch.setattr(memory, "available_bytes", lambda _: 2**40 if unpacked else 1000)
    model = build(folder, precision=precision, device="cpu")
    config = AutoConfig.from_pretrained(folder)
    assert held_bytes(model.module) == memory.resident_bytes(config, precision, model.compute_dtype, unpacked=unpacked)


@pytest.mark.parametrize(("precision", "bits"), [("int5", 5.5), ("int8", 8.5)])
def test_blocks_of_32_take_a_float16_scale_each(model_folder: MakeFolder, precision: Precision, bits: float) -> None:
    """What is no linear layer's matrix stays as it is."""
    config = AutoConfig.from_pretrained(model_folder("llama"))
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(config)
    matrices = sum(p.numel() for name, p in plain.named_parameters() if "_proj.weight" in name)
    rest = sum(p.numel() for name, p in plain.named_parameters() if "_proj.weight" not in name)
    assert memory.resident_bytes(config, precision, torch.bfloat16) == matrices * bits / 8 + 2 * rest


@pytest.mark.parametrize("family", FAMILIES)
def test_kv_bytes_are_those_of_transformers_cache(model_folder: MakeFolder, family: str) -> None:
    folder = model_folder(family)
    cache = DynamicCache()
    AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([[30, 31, 32, 33, 34]]), past_key_values=cache)
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert memory.kv_bytes_per_token(AutoConfig.from_pretrained(folder), torch.float32) == held / 5


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("free", [0, 10**6, 10**8, 10**9, 10**12])
@pytest.mark.parametrize("row_tokens", [2, 100, 100_000])
def test_a_batch_stays_within_its_share(device: str, free: int, row_tokens: int) -> None:
    sizes = PassSizes(device, hidden=64, inner=96, attended=64, heads=4, layers=3, token=1000, vocabulary=300, itemsize=4)
    lengths, share = RowLengths(read=row_tokens // 2, whole=row_tokens, judged=1), memory.SHARE[device] * free
    rows = memory.fit_batch(free, sizes, lengths)
    assert 1 <= rows <= memory.MOST_ROWS[device]
    assert rows == 1 or rows * row_tokens * 1000 <= answering_bytes(sizes, lengths, rows) <= share
    assert rows == memory.MOST_ROWS[device] or answering_bytes(sizes, lengths, rows + 1) > share


def test_free_ram_is_what_the_system_says() -> None:
    assert 0 < memory.available_bytes(CPU) <= psutil.virtual_memory().total


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("1500\n")
    monkeypatch.setattr(ram, "CONTROL_GROUP", tmp_path)
    assert memory.available_bytes(CPU) == 3500
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_bytes(CPU) > 10**6


def test_a_limit_of_the_first_version_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("7000\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("1500\n")
    monkeypatch.setattr(ram, "CONTROL_GROUP", tmp_path)
    assert (memory.available_bytes(CPU), ram.total_ram()) == (5500, 7000)
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert 10**6 < memory.available_bytes(CPU) <= ram.total_ram() == psutil.virtual_memory().total


@pytest.mark.parametrize(
    "said",
    [
        "could not create a primitive",
        "could not create a primitive descriptor for a matmul primitive",
        "could not create a memory object",
        "unable to mmap 4096 bytes from file <x>: Cannot allocate memory (12)",
        "std::bad_alloc",
    ],
)
def test_a_library_without_memory_halves_the_batch(
    model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    folder = model_folder()
    questions = [Question(f"w30 w{40 + i}", max_new_tokens=3) for i in range(8)]
    model = build(folder, precision="fp32", device="cpu", batch_size=8)
    model.load(load_file(folder / "model.safetensors").items())
    whole = model.answer(questions)
    answer_rows = resident_model.answer_rows
    asked: list[int] = []

    def short_of_memory(reader: Any, rows: Any, vocabulary: Any, size: int) -> Any:
        asked.append(size)
        if size > 2:
            raise RuntimeError(said)
        return answer_rows(reader, rows, vocabulary, size)

    monkeypatch.setattr(resident_model, "answer_rows", short_of_memory)
    assert model.answer(questions) == whole
    assert asked == [8, 4, 2]


def test_the_batch_fits_itself_to_free_memory_and_stays(model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model_folder()
    questions = [Question(f"w30 w{40 + i}", max_new_tokens=5) for i in range(20)]
    model = build(folder, precision="fp32", device="cpu")
    model.load(load_file(folder / "model.safetensors").items())
    sizes = memory.pass_sizes(AutoConfig.from_pretrained(folder), "fp32", torch.float32, "cpu")
    lengths = RowLengths(read=2, whole=2 + 5, judged=1, shared=1)
    monkeypatch.setattr(memory, "available_bytes", lambda _: 2 * answering_bytes(sizes, lengths, 7) + 2)
    few = model.answer(questions)
    assert model.batch_size == 7
    monkeypatch.undo()
    assert model.answer(questions) == few
    assert model.batch_size == 7
