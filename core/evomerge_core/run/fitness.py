"""One number to rank candidates by: the score, with the gold answers' log-likelihood breaking ties."""

from __future__ import annotations

import math

from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store import Evaluation


def fitness(evaluation: Evaluation, items: int, *, break_ties: bool = True) -> float | None:
    """Higher is better; None for a failed candidate.

    `items` is the number of scored items: the loss, squeezed into [0, 1), moves the score by less than one item, so
    it orders equal scores only. On its own it sorts out broken merges but does not rank good ones.
    """
    if evaluation.score is None:
        return None
    loss = evaluation.loss
    if not break_ties or loss is None or math.isnan(loss):
        return evaluation.score
    return evaluation.score - loss / (1.0 + loss) / items


def stage_fitness(setup: Setup, stage: StageSetup, evaluation: Evaluation, split: str) -> float | None:
    """The fitness that a stage's search ranks by, from an evaluation on a split."""
    return fitness(evaluation, setup.items(split), break_ties=breaks_ties(stage))


def breaks_ties(stage: StageSetup) -> bool:
    """Whether log-likelihood orders candidates of equal score."""
    return stage.search.tie_break == "log_likelihood"
