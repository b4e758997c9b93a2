"""What mattered: scipy's rank correlation in one generation, and nothing that only a generation's items did."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from evomerge_core.run.report.importance import importance, ranking

NAMES = ["up", "down", "nothing", "still"]


def genomes(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, 4))
    drawn[:, 3] = 1.0
    return drawn


def test_in_one_generation_it_is_spearmans_correlation() -> None:
    drawn = genomes(60, 3)
    scores = np.round(drawn[:, 0] - drawn[:, 1] + np.random.default_rng(1).normal(size=60), 1)
    found = importance(NAMES, drawn.tolist(), scores.tolist(), [0] * 60)
    assert found is not None
    by_name = {one.name: one for one in found.numbers}
    for place, name in enumerate(NAMES[:3]):
        assert by_name[name].correlation == pytest.approx(spearmanr(drawn[:, place], scores).statistic)
        assert by_name[name].low <= by_name[name].correlation <= by_name[name].high
    assert {one.name for one in found.numbers[:2]} == {"up", "down"}
    assert (by_name["up"].clear, by_name["nothing"].clear) == (True, False)
    assert (by_name["still"].correlation, by_name["still"].low, by_name["still"].high) == (0.0, -1.0, 1.0)


def test_easier_items_of_a_generation_do_not_count() -> None:
    """A number that is high in the generation with easy items, and does nothing, shows nothing."""
    drawn = genomes(400)
    generation = np.repeat(np.arange(8), 50)
    drawn[:, 2] += 3 * generation
    found = importance(NAMES, drawn.tolist(), (drawn[:, 0] + 3 * generation).tolist(), generation.tolist())
    assert found is not None
    by_name = {one.name: one for one in found.numbers}
    assert abs(by_name["nothing"].correlation) < 0.2
    assert by_name["up"].correlation == pytest.approx(1.0)


def test_intervals_miss_the_truth_about_as_often_as_they_say() -> None:
    """Of numbers that don't matter one in twenty looks clear: over 300 of them, not a multiple of that."""
    clear = 0
    for seed in range(100):
        drawn = genomes(40, seed)
        scores = np.random.default_rng(1000 + seed).normal(size=40)
        found = importance(NAMES, drawn.tolist(), scores.tolist(), [seed % 3] * 40)
        assert found is not None
        clear += sum(one.clear for one in found.numbers)
    assert 3 <= clear <= 33


def test_few_candidates_say_nothing() -> None:
    assert importance(NAMES, genomes(11).tolist(), list(range(11)), [0] * 11) is None
    assert importance(NAMES, genomes(40).tolist(), list(range(40)), list(range(40))) is None
    assert importance([], [[]] * 40, list(range(40)), [0] * 40) is None


def test_the_best_label_ranks_highest() -> None:
    assert sorted(ranked := ranking(["a", "b", "c"]), key=lambda label: -ranked[label]) == ["a", "b", "c"]
