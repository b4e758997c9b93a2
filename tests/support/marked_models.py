"""Models whose skills are marks in their weights, and an evaluator that answers by the marks of what it loaded.

What a merge can do then follows from arithmetic alone: a mark of a task vector times its weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from evomerge_core.tasks.evaluator import Answer, Question
from support.tiny_run import save_model

EMBEDDING = "model.embed_tokens.weight"
# A skill shows from this mark on; in a merge of equal weights (0.75) whoever brings 1 has it.
ENOUGH = 0.6
RIGHT, JAPANESE, THIRD = 0, 1, 2


def save_marked(folder: Path, marks: Mapping[int, float], *, base: Path | None = None) -> Path:
    """A tiny model, with `base` that one, to whose marks these are added; marks 3 and up are of no use to anybody."""
    save_model(folder, 0)
    file = folder / "model.safetensors"
    tensors = load_file(file if base is None else base / "model.safetensors")
    marked = tensors[EMBEDDING].float()
    if base is None:
        marked[0] = 0.0
    for mark, value in marks.items():
        marked[0, mark] += value
    save_file({**tensors, EMBEDDING: marked.to(tensors[EMBEDDING].dtype)}, file, metadata={"format": "pt"})
    return folder


class MarkedEvaluator:
    """Answers items by the marks that it has loaded: rightly on as many of ten items as `able` says, in Japanese or not."""

    precision = "bf16"
    scored_on = "paper"
    batch_size = 8

    def __init__(self, able: Callable[[Mapping[int, float]], int], before: Callable[[], None] = lambda: None) -> None:
        self.able, self.before = able, before
        self.marks: dict[int, float] = {}
        self.asked: list[tuple[dict[int, float], str]] = []

    def load(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        self.before()
        for name, tensor in tensors:  # each may be gone when the next one comes
            if name == EMBEDDING:
                self.marks = {mark: float(tensor[0, mark]) for mark in range(8)}

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        return [self._answer(question) for question in questions]

    def follow(self, _: Any) -> None:
        raise AssertionError("no paths here")

    def _answer(self, question: Question) -> Answer:
        self.asked.append((self.marks, question.prompt))
        number = int(re.findall(r"(?<!w)\b\d+", question.prompt)[-1])
        right = number % 10 < self.able(self.marks)
        said = number if right else number + 1
        japanese = self.marks[JAPANESE] >= ENOUGH
        text = f"答えは{said}です。よろしくお願いします。" if japanese else f"The answer to this question is {said}."
        return Answer(text, tokens=5, gold_logprob=-1.0, gold_tokens=1)


def arithmetic(marks: Mapping[int, float]) -> int:
    """Seven of ten for whoever can calculate."""
    return 7 if marks[RIGHT] >= ENOUGH else 0


def three_skills(marks: Mapping[int, float]) -> int:
    """Four of ten with one skill, all with the third too."""
    return (10 if marks[THIRD] >= ENOUGH else 4) if marks[RIGHT] >= ENOUGH else 0
