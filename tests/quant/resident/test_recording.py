"""A card that can't record a decoding step runs it as it is, tries no other, and says so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.model import ResidentModel, build
from support.pretended_card import pretended_card

MakeFolder = Callable[..., Path]
QUESTIONS = [Question(f"w30 w{40 + i}", max_new_tokens=8) for i in range(4)]


class _Refusing:
    """A graph that can't be recorded, as one of a step that waits for the card."""

    tried = 0

    def capture_begin(self, **_: Any) -> None:
        type(self).tried += 1
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nCompile with TORCH_USE_CUDA_DSA")


def loaded(folder: Path) -> ResidentModel:
    made = build(folder, precision="bf16", device="cuda", batch_size=4)
    made.load(load_file(folder / "model.safetensors").items())
    return made


@contextlib.contextmanager
def refusing_driver() -> Iterator[None]:
    """The pretended card's driver has graphs, and records none."""
    stream = SimpleNamespace(wait_stream=lambda _: None)
    fakes = {
        "CUDAGraph": _Refusing,
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": contextlib.nullcontext,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.version, "cuda", "13.0")
        patch.setattr(_Refusing, "tried", 0)
        for name, fake in fakes.items():
            patch.setattr(torch.cuda, name, fake)
        yield


def test_it_is_said_once_and_answers_are_those_of_plain_steps(model_folder: MakeFolder) -> None:
    folder = model_folder()
    with pretended_card():
        plain = loaded(folder)
        expected = plain.answer(QUESTIONS)
        assert plain.refused_recording == ""
        with refusing_driver():
            model = loaded(folder)
            assert model.scored_on == "a pretended card, bfloat16"
            assert model.answer(QUESTIONS) == expected
            assert model.scored_on == "a pretended card, bfloat16, without CUDA graphs"
            assert model.refused_recording == (
                "CUDA error: operation not permitted when stream is capturing Compile with TORCH_USE_CUDA_DSA"
            )
            assert model.answer(QUESTIONS) == expected
            assert _Refusing.tried == 1
