"""What the optimiser learns of a race: only ranks count, and dropped candidates rank behind the others."""

from __future__ import annotations

import numpy as np

from evomerge_core.search.cma_es import CmaEs
from evomerge_core.search.flatness import PATIENCE, is_flat
from evomerge_core.search.racing.result import RaceResult, ranking_numbers

RANKED = [
    RaceResult(0.2, 2),
    RaceResult(0.1, 2),
    RaceResult(0.9, 1, dropped=True),
    RaceResult(0.3, 1, dropped=True),
    RaceResult(1.0, 0, dropped=True),
    RaceResult(-0.9, -1, dropped=True),
    RaceResult(1.0, 2, incoherent=True),
    RaceResult(0.4, 2, incoherent=True),
]


def test_sound_survivors_then_late_then_early_then_broken_then_incoherent_then_failed() -> None:
    shuffled = [RANKED[i] for i in (4, 0, 6, 2, 7, 1, 5, 3)]
    numbers = ranking_numbers([*shuffled, RaceResult(None, 0)])
    assert numbers[-1] is None
    order = sorted(zip(numbers[:-1], shuffled, strict=True), key=lambda pair: -(pair[0] or 0.0))
    assert [result for _, result in order] == RANKED


def test_cma_es_moves_as_if_the_ranking_had_been_scores() -> None:
    """The oracle: the same search told plain numbers in the same order."""
    low, high, start = np.zeros(8), np.ones(8), np.full(8, 0.5)
    raced, plain = CmaEs(low, high, start, seed=5), CmaEs(low, high, start, seed=5)
    for _ in range(3):
        assert len(raced.ask()) == len(plain.ask()) == 10
        raced.tell(ranking_numbers([*RANKED, RaceResult(None, 0), RaceResult(None, 0)]))
        plain.tell([8, 7, 6, 5, 4, 3, 2, 1, None, None])
        np.testing.assert_array_equal(raced.mean, plain.mean)


def test_ties_of_scores_are_not_flat_but_ties_of_everything_are() -> None:
    assert is_flat([[0.5] * 8] * PATIENCE)
    assert is_flat([[None] * 8] * PATIENCE)
    assert not is_flat([[0.5] * 8] * (PATIENCE - 1))
    assert not is_flat([*[[0.5] * 8] * (PATIENCE - 1), [0.5, 0.4999]])
    assert not is_flat([[0.5, 0.5 - 1e-9]] * PATIENCE)
