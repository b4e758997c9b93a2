"""CMA-ES over whole numbers beside others: exact, repeatable, and not stuck between two values."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.search.cma_es import CmaEs

LOW, HIGH = np.array([0.0, 0.0, 0.0, -1.0]), np.array([6.0, 4.0, 1.0, 3.0])
BEST = np.array([5.0, 1.0, 1.0, 2.3])


def make(seed: int = 1, **changes: object) -> CmaEs:
    start = np.array([2.0, 3.0, 0.0, 0.0])
    return CmaEs(LOW, HIGH, start, integers=(0, 1, 2), population=12, seed=seed, **changes)  # type: ignore[arg-type]


def near_best(genome: np.ndarray) -> float:
    return -float((((genome - BEST) / (HIGH - LOW)) ** 2).sum())


def test_asked_numbers_are_whole_and_within_their_bounds() -> None:
    optimizer = make()
    for _ in range(15):
        genomes = np.array(optimizer.ask())
        assert (genomes[:, :3] == np.round(genomes[:, :3])).all()
        assert ((genomes >= LOW) & (genomes <= HIGH)).all()
        optimizer.tell([float(genome.sum()) for genome in genomes])
    assert optimizer.mean[:3].tolist() == HIGH[:3].tolist()


def test_the_best_values_are_found() -> None:
    optimizer = make()
    for _ in range(60):
        optimizer.tell([near_best(genome) for genome in optimizer.ask()])
    np.testing.assert_allclose(optimizer.mean, BEST, atol=0.05)


def test_the_same_history_asks_the_same_whatever_others_draw_from_numpys_generator() -> None:
    first, second = make(), make()
    for round_ in range(25):
        np.random.seed(round_)
        asked = first.ask()
        first.tell([near_best(genome) for genome in asked])
        np.random.seed(1000 + round_)
        drawn = np.random.get_state()[1].copy()  # type: ignore[union-attr]
        np.testing.assert_array_equal(asked, second.ask())
        second.tell([near_best(genome) for genome in asked])
        np.testing.assert_array_equal(drawn, np.random.get_state()[1])


def test_steps_say_how_far_the_first_generation_goes() -> None:
    near, far = (np.array(make(steps=np.full(4, step)).ask()) for step in (0.2, 1.0))
    start = np.array([2.0, 3.0, 0.0, 0.0])
    assert (near != start)[:, :3].mean() < 0.5 * (far != start)[:, :3].mean()
    assert np.ptp(near[:, 3]) < 0.4 * np.ptp(far[:, 3])


def test_the_start_can_be_the_first_candidate() -> None:
    optimizer = make(start_first=True)
    first = optimizer.ask()
    np.testing.assert_allclose(first[0], [2.0, 3.0, 0.0, 0.0], atol=1e-9)
    optimizer.tell([near_best(genome) for genome in first])
    assert not any(np.allclose(genome, [2.0, 3.0, 0.0, 0.0]) for genome in optimizer.ask()[:1])


@pytest.mark.parametrize("numbers", [101, 400])
def test_many_numbers_are_searched_with_a_diagonal(numbers: int) -> None:
    best = np.linspace(-0.5, 0.5, numbers)
    optimizer = CmaEs(np.full(numbers, -1.0), np.ones(numbers), np.zeros(numbers), population=16, seed=1)
    for _ in range(60):
        optimizer.tell([-float(((genome - best) ** 2).sum()) for genome in optimizer.ask()])
    assert np.corrcoef(optimizer.mean, best)[0, 1] > 0.5
