"""Memory of a pretended card: batches after a load, errors in every class, and what is done about them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig

from evomerge_core.errors import InputError
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.plan.plan import TensorInput, TensorMerge
from evomerge_core.methods.method import Parameter
from evomerge_core.methods.registry import get_method, method_names
from evomerge_core.sources.source import open_sources
from evomerge_core.tasks.evaluator import CandidateError, Question
from evomerge_quant.gguf.proof.comparison import Stretch
from evomerge_quant.gguf.proof.proof_items import ProofItem
from evomerge_quant.gguf.proof.reference import Reference
from evomerge_quant.gguf.quantize import imatrix
from evomerge_quant.resident import memory, model
from evomerge_quant.resident.model import ResidentModel, build, choose_dtype
from evomerge_quant.resident.network import carry
from evomerge_quant.resident.network.skeleton import FEW_BITS, Precision
from evomerge_quant.resident.out_of_memory import is_out_of_memory
from support.pretended_card import CardMemory, pretended_card
from support.tiny_models import make_folder

MakeFolder = Callable[..., Path]
QUESTIONS = [Question(f"w30 w{40 + i}", max_new_tokens=5) for i in range(40)]
NAME = "model.layers.1.mlp.up_proj.weight"
OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


def by_class(error: BaseException) -> str:
    return f"{type(error).__name__} {error}"[:60]


@pytest.fixture
def card() -> Iterator[CardMemory]:
    with pretended_card(400_000_000) as memory_of_card:
        yield memory_of_card


def loaded(folder: Path, precision: Any = "nf4") -> ResidentModel:
    made = build(folder, precision=precision, device="cuda")
    made.load(load_file(folder / "model.safetensors").items())
    return made


def fail_above(rows: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answering more than so many rows at once raises the error."""
    answer = model.answer_rows

    def limited(reader: Any, asked: Any, vocabulary: Any, size: int) -> Any:
        if size > rows:
            raise error
        return answer(reader, asked, vocabulary, size)

    monkeypatch.setattr(model, "answer_rows", limited)


def test_a_batch_after_a_load_is_as_large_as_before_it(model_folder: MakeFolder, card: CardMemory) -> None:
    """What torch keeps of a load's temporaries is no less free than it was."""
    folder = model_folder()
    made = loaded(folder)
    free = card.total - card.allocated
    torch.zeros(200_000_000, dtype=torch.uint8, device="cuda")  # a temporary that is gone again, and that torch keeps
    assert torch.cuda.mem_get_info()[0] < free
    assert memory.available_bytes(made.device) == free
    made.answer(QUESTIONS)
    fitted = made.batch_size
    made.load(load_file(folder / "model.safetensors").items())
    made.answer(QUESTIONS)
    assert made.batch_size == fitted


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=by_class)
def test_every_class_of_error_that_lacks_memory_is_known(error: BaseException) -> None:
    assert is_out_of_memory(error)


@pytest.mark.usefixtures("card")
def test_memory_that_runs_out_halves_the_batch(model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    made = loaded(model_folder())
    made.batch_size = 32
    fail_above(10, OUT_OF_MEMORY[1], monkeypatch)
    assert len(made.answer(QUESTIONS)) == len(QUESTIONS)
    assert made.batch_size == 8


@pytest.mark.usefixtures("card")
def test_other_errors_are_no_lack_of_memory(model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    made = loaded(model_folder())
    fail_above(0, torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), monkeypatch)
    with pytest.raises(torch.AcceleratorError):
        made.answer(QUESTIONS)
    assert not is_out_of_memory(ValueError("out of memory"))


def test_a_batch_grows_again_when_another_program_has_ended(
    model_folder: MakeFolder, card: CardMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder()
    made = loaded(folder)
    made.answer(QUESTIONS)
    fitted = made.batch_size
    assert fitted is not None
    card.foreign = 350_000_000
    fail_above(8, OUT_OF_MEMORY[0], monkeypatch)
    made.answer(QUESTIONS)
    small = made.batch_size
    assert small is not None
    assert small <= 8
    monkeypatch.undo()
    made.load(load_file(folder / "model.safetensors").items())
    made.answer(QUESTIONS)
    assert made.batch_size == small  # no more is free than before
    card.foreign = 0
    made.load(load_file(folder / "model.safetensors").items())
    made.answer(QUESTIONS)
    assert made.batch_size == fitted


def test_a_model_that_there_is_no_room_for_is_said_in_one_line(model_folder: MakeFolder) -> None:
    with pretended_card(50_000), pytest.raises(InputError, match=r"out of memory: the model takes .* GB in bf16") as caught:
        build(model_folder(), precision="bf16", device="cuda")
    assert isinstance(caught.value, CandidateError)  # within a run it is the candidate that fails


def test_a_load_that_runs_out_is_the_candidates_failure(model_folder: MakeFolder, card: CardMemory) -> None:
    folder = model_folder()
    made = build(folder, precision="int8", device="cuda")
    card.foreign = card.total - card.allocated - 1000
    with pytest.raises(CandidateError, match="out of memory"):
        made.load(load_file(folder / "model.safetensors").items())
    card.foreign = 0
    made.load(load_file(folder / "model.safetensors").items())


@pytest.mark.parametrize(("bytes_of_card", "where", "precision"), [(4.0, "cuda", "fp32"), (1.6, "cpu", "fp32")])
def test_an_exports_reference_takes_the_cpu_where_the_card_is_too_small(
    model_folder: MakeFolder, bytes_of_card: float, where: str, precision: str
) -> None:
    folder = model_folder()
    weights = sum(tensor.numel() for tensor in load_file(folder / "model.safetensors").values())
    with pretended_card(int(1.6 * bytes_of_card * weights)) as card:
        reference = Reference(folder, [ProofItem(question) for question in QUESTIONS[:3]])
        assert reference.precision == precision
        assert (card.allocated > 0) == (where == "cuda")


def test_an_exports_reference_moves_to_the_cpu_when_the_card_fills_up_meanwhile(
    model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, items = model_folder(), [ProofItem(question) for question in QUESTIONS[:3]]
    expected = Reference(folder, items)
    stretches = [Stretch(tuple(row.prompt), 0) for row in expected.rows]
    with pretended_card(50_000) as card:
        monkeypatch.setattr(memory, "available_bytes", lambda _: 1 << 40)
        reference = Reference(folder, items)
        assert card.allocated == 0
        for found, right in zip(reference.logits(stretches), expected.logits(stretches), strict=True):
            assert torch.equal(found, right)


@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((12, 0), torch.bfloat16)]
)
def test_a_card_that_only_emulates_bfloat16_multiplies_in_float16(capability: tuple[int, int], dtype: torch.dtype) -> None:
    with pretended_card(capability=capability):
        assert choose_dtype("nf4", torch.device("cuda"), "auto") == dtype
        assert choose_dtype("fp32", torch.device("cuda"), "auto") == torch.float32
        assert choose_dtype("nf4", torch.device("cuda"), "bfloat16") == torch.bfloat16
        assert choose_dtype("nf4", torch.device("cpu"), "auto") == torch.float32


def test_the_importance_matrix_is_measured_on_the_cpu_where_the_card_fills_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Network(torch.nn.Linear):
        def to(self, device: torch.device) -> Any:
            if device.type == "cuda":
                raise OUT_OF_MEMORY[1]
            return self

    asked = []

    def load(_: Path, dtype: torch.dtype) -> Network:
        asked.append(dtype)
        return Network(2, 2)

    monkeypatch.setattr(imatrix, "load_network", load)
    with pretended_card():
        assert imatrix._place(tmp_path)[0].type == "cuda"
        assert imatrix._placed(tmp_path)[1].type == "cpu"
    assert asked == [torch.bfloat16, torch.float32]


def test_float16_answers_on_an_old_card(model_folder: MakeFolder) -> None:
    with pretended_card(capability=(7, 5)):
        made = loaded(model_folder("qwen2"), "int8")
        assert made.scored_on == "a pretended card, float16"
        assert len(made.answer(QUESTIONS)) == len(QUESTIONS)


def test_windows_driver_gets_no_chance_to_spill(card: CardMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    card.foreign = 100_000_000
    memory.keep_within_card(torch.device("cuda"))
    assert card.fraction == 0.75


def wide_config(out: int, width: int) -> Any:
    """A Llama whose largest layer is of this shape, or of the same size."""
    sizes = {"hidden_size": width, "intermediate_size": out, "num_attention_heads": 64, "num_key_value_heads": 1}
    return LlamaConfig(**sizes, head_dim=2, num_hidden_layers=1, vocab_size=300)


LLAMA_3_8B = {"embedding": (128256, 4096), "mlp": (14336, 4096), "down": (4096, 14336), "attention": (4096, 4096)}


@pytest.mark.parametrize("precision", FEW_BITS)
@pytest.mark.parametrize("rows", [128, 3 * carry.PART_BYTES // (2 * 4096)], ids=["small", "three parts"])
def test_taking_a_weight_needs_what_is_planned(precision: Precision, rows: int) -> None:
    """Parts are as large as they are for the largest model: what is planned holds for weights of any size."""
    shape = (rows, 4096)
    weight = torch.ones(shape, dtype=torch.bfloat16)
    layer = FEW_BITS[precision](torch.nn.Linear(shape[1], shape[0], bias=False, device="meta"), torch.bfloat16)
    with pretended_card() as card:
        layer.place(torch.device("cuda"), unpacked=False)
        held = card.allocated
        card.reset_peak()
        layer.take(weight)
        assert card.allocated == held
        planned = memory.taking_bytes(wide_config(*shape), precision, torch.bfloat16)
        assert 0.9 * planned < card.peak - held <= planned < 200_000_000


@pytest.mark.parametrize("shape", LLAMA_3_8B.values(), ids=LLAMA_3_8B)
def test_parts_are_bounded_at_the_shapes_of_a_large_model(shape: tuple[int, int]) -> None:
    weight = torch.empty(shape, dtype=torch.bfloat16, device="meta")
    parts = [rows for _, rows in carry.row_parts(weight, torch.device("meta"))]
    assert sum(len(rows) for rows in parts) == shape[0]
    assert max(rows.nbytes for rows in parts) <= carry.PART_BYTES
    assert all(len(rows) % 64 == 0 for rows in parts[:-1])


def test_an_embedding_is_copied_straight_into_its_room(model_folder: MakeFolder, card: CardMemory) -> None:
    folder = model_folder()
    made = build(folder, precision="bf16", device="cuda")
    held = card.allocated
    card.reset_peak()
    made.load(load_file(folder / "model.safetensors").items())
    assert card.peak - held < 10_000  # a number for each tensor: whether it is finite


def chosen(parameter: Parameter) -> Any:
    return 0.5 if parameter.default is None or parameter.name == "density" else parameter.default


@pytest.mark.parametrize("name", method_names())
def test_merging_takes_no_memory_of_the_card_whatever_the_method(tmp_path: Path, name: str) -> None:
    method = get_method(name)
    count = max(method.min_sources, min(3, method.max_sources or 3))
    folders = [make_folder(tmp_path, seed=seed) for seed in range(count + 1)]
    sources = open_sources([str(folder) for folder in folders], relative_to=tmp_path)
    inputs = tuple(
        TensorInput(reference, NAME, {p.name: chosen(p) for p in method.parameters.values() if p.per_source})
        for reference in [*sources][1:]
    )
    base = TensorInput(next(iter(sources)), NAME, {}) if method.takes_base else None
    single = {p.name: chosen(p) for p in method.parameters.values() if not p.per_source}
    merge = TensorMerge(NAME, name, base, inputs, single)
    with pretended_card() as card:
        ((_, merged),) = MergeEngine(sources).stream([merge])
        assert merged.device.type == "cpu"
        assert card.peak == 0
