"""Decoding in seats answers as the running batch that grows and moves its columns does."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from evomerge_core.files.picture import Picture
from evomerge_core.sources.source import open_source
from evomerge_core.tasks.evaluator import Answer, Question
from evomerge_quant.resident.answering import answering
from evomerge_quant.resident.answering.decoding.seated import seat_rows
from evomerge_quant.resident.model import build
from evomerge_quant.resident.vision.eyes import look, open_eyes
from support.tiny_models import FAMILIES, make_folder
from support.vision_models import write_seeing_model


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


@pytest.mark.parametrize("family", ["smolvlm", "qwen2-vl", "gemma3", "qwen3-vl"])
def test_answers_about_pictures_do_not_depend_on_seats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """A picture takes fewer positions than tokens in Qwen's families, so a row's place and its position differ."""
    folder = write_seeing_model(tmp_path / family, family)
    eyes, drawn = open_eyes(folder, torch.float32, torch.device("cpu")), np.random.default_rng(4)
    pixels = [drawn.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in ((32, 32), (48, 16), (16, 24))]
    seen = {str(number): look(eyes, Picture(Image.fromarray(one), str(number))) for number, one in enumerate(pixels)}
    asked = [
        Question(
            f"w4 {seen[shown].text if shown else ''} w{30 + number}", max_new_tokens=6 + number, pictures=(shown,) * bool(shown)
        )
        for number, shown in enumerate(["0", "1", "", "2", "0", "1"])
    ]
    source = open_source(str(folder), relative_to=Path())

    def answered(batch_size: int) -> list[Answer]:
        model = build(folder, precision="fp32", device="cpu", batch_size=batch_size)
        model.load((name, source.read(name)) for name in source.names)
        model.see(seen)
        return model.answer(asked)

    expected = answered(4)
    assert len({answer.text for answer in expected}) > 1
    monkeypatch.setattr(answering, "_make_batch", seat_rows)
    assert answered(2) == expected
