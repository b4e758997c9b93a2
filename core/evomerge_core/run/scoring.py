"""One candidate's way: merged tensor by tensor into the resident model, asked, scored."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.plan import make_plan
from evomerge_core.run.setup import Asked, Setup
from evomerge_core.run.store import Evaluation, ItemScore
from evomerge_core.tasks.combination import weighted_mean
from evomerge_core.tasks.exchange import Answer, CandidateError, Evaluator


def score_candidate(setup: Setup, config: MergeConfig, split: str, evaluator: Evaluator) -> tuple[Evaluation, list[ItemScore]]:
    """Merges, asks and scores; a candidate that fails comes back with its reason instead of a score."""
    asked = setup.asked[split]
    started = time.perf_counter()
    try:
        evaluator.load(_merged(setup, config))
        answers = evaluator.answer([a.question for a in asked])
    except (CandidateError, UnmergeableError) as failure:
        return Evaluation(None, None, str(failure), time.perf_counter() - started, 0), []
    items = [_item_score(a, answer) for a, answer in zip(asked, answers, strict=True)]
    tokens = sum(i.tokens for i in items)
    seconds = time.perf_counter() - started
    return Evaluation(weighted_score(setup, items), _mean_loss(items), None, seconds, tokens), items


class UnmergeableError(Exception):
    """A genome's numbers can't be merged, such as weights that sum to 0 where the method divides by their sum."""


def _merged(setup: Setup, config: MergeConfig) -> Iterator[tuple[str, Tensor]]:
    try:
        yield from setup.engine.stream(make_plan(config, setup.sources))
    except InputError as error:
        raise UnmergeableError(str(error)) from error


def weighted_score(setup: Setup, items: list[ItemScore]) -> float:
    """The mean of each task's items, averaged over the tasks by their weights."""
    values: dict[str, list[float]] = {task.name: [] for task in setup.tasks}
    for item in items:
        values[item.task].append(item.value)
    means = {name: sum(of_task) / len(of_task) for name, of_task in values.items()}
    return weighted_mean(means, {task.name: task.weight for task in setup.tasks})


def _item_score(asked: Asked, answer: Answer) -> ItemScore:
    score = asked.task.score(asked.item, answer)
    loss = None if math.isnan(score.loss) else score.loss
    return ItemScore(
        asked.task.name, asked.item.id, score.value, loss, score.truncated, score.language_ok, answer.tokens, answer.text
    )


def _mean_loss(items: list[ItemScore]) -> float | None:
    losses = [i.loss for i in items if i.loss is not None]
    return sum(losses) / len(losses) if losses else None
