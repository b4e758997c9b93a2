"""Stands for the resident model: the loaded merge answers as a world says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from torch import Tensor

from evomerge_core.run.candidate.held_model import LoadedSlot
from evomerge_core.run.plan import Asked
from evomerge_core.run.store.records import Candidate
from evomerge_core.tasks.evaluator import Answer, Question
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.task import Task
from replay.landscape import World
from replay.matrix import Numbers

RIGHT, WRONG = "right", "wrong"
TASK = Task("drawn", "{question}", get_scorer("exact"), gold="{answer}", max_new_tokens=1)


def make_asked(counts: Mapping[str, int]) -> dict[str, tuple[Asked, ...]]:
    """Questions for each split; a question's prompt is the number of its item among all."""
    asked, before = {}, 0
    for split, count in counts.items():
        numbers = range(before, before + count)
        asked[split] = tuple(
            Asked(TASK, Item(str(n), {"question": str(n), "answer": RIGHT}), Question(str(n), RIGHT)) for n in numbers
        )
        before += count
    return asked


@dataclass
class DrawnModel:
    """An evaluator and its loader in one; `asked` counts answers."""

    world: World
    genome: Numbers = field(default_factory=lambda: np.zeros(0))
    asked: int = 0
    precision: str = "bf16"
    scored_on: str = "drawn"
    batch_size: int | None = 1
    other_layers: int | None = None

    def slot(self, candidate: Candidate, _split: str, _precision: str) -> LoadedSlot:
        return LoadedSlot(self, partial(self._take, candidate))

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        if not questions:
            return []
        right, losses = self.world.answers(self.genome, np.array([int(question.prompt) for question in questions]))
        self.asked += sum(question.max_new_tokens > 0 for question in questions)  # the others are read, not answered
        return [
            Answer(RIGHT if one else WRONG, tokens=1, gold_logprob=-loss, gold_tokens=1)
            for one, loss in zip(right, losses, strict=True)
        ]

    def load(self, _: Iterable[tuple[str, Tensor]]) -> None:
        raise AssertionError("a drawn model has no weights")

    def follow(self, _: Sequence[tuple[int, float]]) -> None:
        raise AssertionError("a drawn model has no layers")

    def _take(self, candidate: Candidate) -> None:
        self.genome = np.array(candidate.genome)
