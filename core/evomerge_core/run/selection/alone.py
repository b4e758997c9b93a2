"""What each member of a pool answers alone, with the parts of its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evomerge_core.pool.promise import ScoredAlone
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.store.records import ItemScore
from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.task import weighted_mean


@dataclass(frozen=True)
class SubScores:
    """A member's score and its parts, each in 0..1 and weighted by task: `right` whatever the language, `language` whatever the
    answer; `tasks` is the score of each task, `loss` the mean of the correct answers' losses in nats per token or None."""

    score: float
    right: float
    language: float
    tasks: Mapping[str, float]
    loss: float | None


def sub_scores(plan: RunPlan, asked: Sequence[Asked], items: Sequence[ItemScore]) -> SubScores:
    """The parts of a member's score on what it was asked."""
    found = [(item.task, item.value, right, float(item.language_ok)) for item, right in _with_right(asked, items)]
    names = [task.name for task in plan.tasks]

    def means(column: int) -> dict[str, float]:
        return {name: float(np.mean([row[column] for row in found if row[0] == name])) for name in names}

    losses = [item.loss for item in items if item.loss is not None]
    score, right, language = (weighted_mean(means(column), plan.weights) for column in (1, 2, 3))
    return SubScores(score, right, language, means(1), float(np.mean(losses)) if losses else None)


def scored_alone(plan: RunPlan, asked: Sequence[Asked], members: Sequence[Sequence[ItemScore]]) -> ScoredAlone:
    """All members' answers to the same items, as a matrix of each part."""
    total, per_task = sum(plan.weights.values()), len(asked) // len(plan.tasks)
    rows = [_with_right(asked, items) for items in members]
    return ScoredAlone(
        right=np.array([[right for _, right in row] for row in rows]),
        language=np.array([[float(item.language_ok) for item, _ in row] for row in rows]),
        loss=np.array([[np.nan if item.loss is None else item.loss for item, _ in row] for row in rows]),
        weights=np.array([plan.weights[a.task.name] / total / per_task for a in asked]),
    )


def _with_right(asked: Sequence[Asked], items: Sequence[ItemScore]) -> list[tuple[ItemScore, float]]:
    """The scores of what was asked, in its order, each with how right the answer is whatever its language."""
    known = {(item.task, item.item): item for item in items}
    ordered = [known[a.task.name, a.item.id] for a in asked]
    return [(score, _right(a, score)) for a, score in zip(asked, ordered, strict=True)]


def _right(asked: Asked, score: ItemScore) -> float:
    # choices are rated by their likelihoods, which aren't kept; their language is that of the task
    if score.language_ok or asked.task.scorer.choices:
        return score.value
    return asked.task.right(asked.item, Answer(score.answer, score.tokens, score.truncated))
