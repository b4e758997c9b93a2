"""What answering is planned to take, beside what it allocates on a pretended card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident import memory
from evomerge_quant.resident.answering.room import answering_bytes, lengths_of, seats_bytes
from evomerge_quant.resident.answering.rows import make_rows
from evomerge_quant.resident.answering.vocabulary import read_vocabulary
from evomerge_quant.resident.model import build
from support.pretended_card import pretended_card
from support.tiny_models import make_folder

MakeFolder = Callable[..., Path]
SIZES = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 2048,
}


def texts(count: int, words: int, beginning: int = 0) -> list[str]:
    """Texts that share their first words and no more."""
    shared = [f"w{50 + place % 200}" for place in range(beginning)]
    return [" ".join([*shared, *(f"w{(7 * i + 13 * j) % 250 + 30}" for j in range(words))]) for i in range(count)]


CASES: dict[str, list[Question]] = {
    "long answers": [Question(text, "w60 w61", max_new_tokens=48) for text in texts(48, 40)],
    "long questions": [Question(text, "w60 w61", max_new_tokens=8) for text in texts(32, 200)],
    "a long shared beginning": [Question(text, "w60", max_new_tokens=20) for text in texts(32, 10, beginning=300)],
    "choices": [Question(text, choices=("w44", "w55 w66")) for text in texts(48, 60)],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_a_card_takes_what_is_planned_and_no_more(tmp_path: Path, case: str, family: str) -> None:
    folder, questions = make_folder(tmp_path, family, **SIZES), CASES[case]
    with pretended_card() as card:
        model = build(folder, precision="bf16", device="cuda", batch_size=16)
        model.load(load_file(folder / "model.safetensors").items())
        held = card.allocated
        card.reset_peak()
        model.answer(questions)
        taken = card.peak - held
    sizes = memory.pass_sizes(model.module.config, "bf16", model.compute_dtype, "cuda")
    rows = make_rows(questions, read_vocabulary(folder), 2048)
    planned = answering_bytes(sizes, lengths_of(rows), 16)
    assert taken <= planned
    # of what a graph would keep, and attention that bends its scores, the pretended card sees nothing
    assert family != "llama" or taken > 0.9 * planned


def test_what_waits_for_a_seat_holds_no_copy(model_folder: MakeFolder) -> None:
    """Prompts are read into the cache that they wait in; beside the seats, no more than one batch of prompts is there."""
    folder = model_folder("llama", num_key_value_heads=4, head_dim=64)
    questions = [Question(text, max_new_tokens=2) for text in texts(64, 100)]
    with pretended_card() as card:
        model = build(folder, precision="bf16", device="cuda", batch_size=64)
        model.load(load_file(folder / "model.safetensors").items())
        held = card.allocated
        card.reset_peak()
        model.answer(questions)
    sizes = memory.pass_sizes(model.module.config, "bf16", model.compute_dtype, "cuda")
    lengths = lengths_of(make_rows(questions, read_vocabulary(folder), 256))
    prompts = 64 * 100 * sizes.token
    assert seats_bytes(sizes, lengths, 64) >= prompts
    assert card.peak - held < 3 * prompts


@pytest.mark.parametrize("precision", ["nf4", "int8"])
def test_a_layer_that_is_unpacked_counts(model_folder: MakeFolder, precision: Any) -> None:
    config = build(model_folder("llama"), precision="bf16", device="cpu").module.config
    plain, packed = (memory.pass_sizes(config, one, torch.bfloat16, "cuda") for one in ("bf16", precision))
    assert (plain.unpacked, packed.unpacked) == (0, {"nf4": 2, "int8": 6}[precision] * 64 * 96)
