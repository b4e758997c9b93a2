"""The decision rule on pure noise: candidates that differ in nothing but luck seldom count as better."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.run.statistics import compare
from evomerge_core.run.verdict.verdict import beats

RUNS, CANDIDATES, TEST = 400, 200, 200


def declares(draws: np.random.Generator, references: int = 2) -> bool:
    """A run's choice and verdict as the loop makes them, every answer being right by chance alone."""

    def answers(items: int, models: int) -> np.ndarray:
        chance = 1 / (1 + np.exp(-draws.normal(0, 2, items)))
        return (draws.random((models, items)) < chance).astype(float)

    # whoever wins the search and the validation: on new items its answers are as good as anybody's
    child, *others = answers(TEST, 1 + references)
    best = max(others, key=lambda reference: float(reference.mean()))
    return beats(compare(child.tolist(), best.tolist()))


@pytest.mark.parametrize("references", [1, 2, 5, 8])
def test_at_most_one_run_in_twenty_declares_a_winner(references: int) -> None:
    """However many references there are: the more, the luckier is the best of them on the test."""
    draws = np.random.default_rng(0)
    assert sum(declares(draws, references) for _ in range(RUNS)) <= RUNS / 20


def test_the_rule_needs_new_items() -> None:
    """The best of 200 equal candidates, tested on the very items that chose it, would mostly be called better."""
    draws = np.random.default_rng(1)
    called = 0
    for _ in range(30):
        values = (draws.random((CANDIDATES + 1, 100)) < 0.5).astype(float)
        best = values[np.argmax(values[:CANDIDATES].mean(axis=1))]
        called += beats(compare(best.tolist(), values[CANDIDATES].tolist()))
    assert called > 15


def test_a_real_difference_is_found() -> None:
    draws = np.random.default_rng(2)
    called = 0
    for _ in range(30):
        parent = draws.random(200) < 0.4
        child = parent | (draws.random(200) < 0.2)
        called += beats(compare(child.astype(float).tolist(), parent.astype(float).tolist()))
    assert called == 30
