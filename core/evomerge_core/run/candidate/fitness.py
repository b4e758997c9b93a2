"""One number to rank candidates by: the score, with the gold answers' log-likelihood breaking ties and steadying races."""

from __future__ import annotations

import math

from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.store import Evaluation

# A race's few items leave more to luck than the gold answers' loss does: there it counts like so many items. Of 720 merges of
# the quickstart's, raced on 11 items, the score alone correlates with what a fit to the other runs foretells by 0.62 within a
# generation, with the loss by 0.67; in the first two generations by 0.68 and 0.75.
_ITEMS_IN_RACES = 8.0


def fitness(evaluation: Evaluation, items: int, *, break_ties: bool = True, raced: bool = False) -> float | None:
    """Higher is better, in (-1, 1]; None for a failed candidate.

    `items` is the number of scored items: the loss, squeezed into [0, 1), moves the score by less than one item, so
    it orders equal scores only. On its own it sorts out broken merges but does not rank good ones. `raced`: the items are a
    race's, and the loss steadies their score.
    """
    if evaluation.score is None:
        return None
    loss = evaluation.loss
    if not break_ties or loss is None or math.isnan(loss):
        return evaluation.score
    return evaluation.score - squeezed(loss) * (min(1.0, _ITEMS_IN_RACES / items) if raced else 1.0 / items)


def squeezed(loss: float) -> float:
    """A mean negative log-likelihood as a number in [0, 1)."""
    return loss / (1.0 + loss)


def stage_fitness(setup: Setup, stage: StageSetup, evaluation: Evaluation, split: str) -> float | None:
    """The fitness that a stage's search ranks by, from an evaluation on a split."""
    return fitness(evaluation, setup.items(split), break_ties=breaks_ties(stage))


def breaks_ties(stage: StageSetup) -> bool:
    """Whether log-likelihood orders candidates of equal score."""
    return stage.search.tie_break == "log_likelihood"
