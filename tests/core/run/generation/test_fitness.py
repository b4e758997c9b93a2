"""Fitness: the score ranks, the loss breaks ties and steadies races."""

from __future__ import annotations

import itertools
import math

import pytest

from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.store.records import Evaluation


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


@pytest.mark.parametrize(("items", "more", "wins"), [(8, 2, True), (8, 3, False), (64, 2, True), (64, 3, False)])
def test_in_a_race_a_loss_outweighs_two_items(items: int, more: int, wins: bool) -> None:
    """0.25 against 1 nat a token are 0.2 against 0.5 when squeezed, of eight items 2.4."""
    likely = fitness(evaluation(1 / items, 0.25), items, raced=True) or 0.0
    lucky = fitness(evaluation((1 + more) / items, 1.0), items, raced=True) or 0.0
    assert (likely > lucky) is wins


def test_a_raced_fitness_stays_between_minus_one_and_one() -> None:
    values = [fitness(evaluation(score, loss), items, raced=True) for score in (0, 1) for loss in (0, 1e9) for items in (1, 7)]
    assert all(value is not None and -1 <= value <= 1 for value in values)


def test_a_failed_candidate_has_none() -> None:
    assert fitness(Evaluation(None, None, "NaN", 1.0, 0), 32) is None
