"""Fitness: the score ranks, the loss breaks ties."""

from __future__ import annotations

import itertools
import math

from evomerge_core.run.fitness import fitness
from evomerge_core.run.store import Evaluation


def evaluation(score: float | None, loss: float | None) -> Evaluation:
    return Evaluation(score, loss, None, 1.0, 1)


def test_no_loss_outweighs_one_item() -> None:
    items = 32
    losses = [0.0, 0.3, 5.0, 1e9]
    values = [[fitness(evaluation(right / items, loss), items) or 0.0 for loss in losses] for right in range(1, items + 1)]
    assert all(max(fewer) < min(more) for fewer, more in itertools.pairwise(values))


def test_equal_scores_rank_by_loss() -> None:
    values = [fitness(evaluation(0.5, loss), 32) or 0.0 for loss in (0.1, 0.2, 4.0)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 3


def test_without_ties_broken_or_without_loss_only_the_score_counts() -> None:
    assert fitness(evaluation(0.5, 2.0), 32, break_ties=False) == 0.5
    assert fitness(evaluation(0.5, None), 32) == 0.5
    assert fitness(evaluation(0.5, math.nan), 32) == 0.5


def test_a_failed_candidate_has_none() -> None:
    assert fitness(Evaluation(None, None, "NaN", 1.0, 0), 32) is None
