"""Decoding in seats answers as the running batch that grows and moves its columns does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from safetensors.torch import load_file

from evomerge_core.tasks.evaluator import Answer, Question
from evomerge_quant.resident.answering import answering
from evomerge_quant.resident.answering.decoding.seated import seat_rows
from evomerge_quant.resident.model import build
from support.tiny_models import FAMILIES, make_folder


def questions(seed: int, count: int = 23) -> list[Question]:
    """Of many lengths, with answers of many lengths, so that rows leave and enter all the time."""
    drawn = random.Random(seed)

    def words(most: int) -> str:
        return " ".join(f"w{drawn.randrange(30, 280)}" for _ in range(drawn.randrange(1, most)))

    return [Question(words(40), words(4) if drawn.random() < 0.5 else "", (), drawn.randrange(1, 60)) for _ in range(count)]


def answers(folder: Path, batch_size: int, seed: int) -> list[Answer]:
    model = build(folder, precision="fp32", device="cpu", batch_size=batch_size)
    model.load(load_file(folder / "model.safetensors").items())
    return model.answer(questions(seed))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_size", [1, 5, 16])
def test_answers_do_not_depend_on_seats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, batch_size: int) -> None:
    folder = make_folder(tmp_path, family)
    expected = answers(folder, 8, seed=batch_size)
    monkeypatch.setattr(answering, "_make_batch", seat_rows)
    assert answers(folder, batch_size, seed=batch_size) == expected
