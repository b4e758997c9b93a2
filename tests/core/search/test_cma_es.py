"""CMA-ES as the run uses it: bounded, repeatable, undisturbed by ties and failures."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.search.cma_es import CmaEs, population_size

TARGET = np.linspace(0.2, 1.3, 8)


def make(seed: int = 1, dimension: int = 8) -> CmaEs:
    return CmaEs(np.zeros(dimension), np.full(dimension, 1.5), np.full(dimension, 0.5), seed=seed)


def near_target(genome: np.ndarray) -> float:
    return -float(((genome - TARGET[: len(genome)]) ** 2).sum())


def test_finds_the_optimum_of_a_sphere() -> None:
    optimizer = make()
    for _ in range(60):
        optimizer.tell([near_target(g) for g in optimizer.ask()])
    np.testing.assert_allclose(optimizer.mean, TARGET, atol=0.02)


def test_searches_a_single_number() -> None:
    optimizer = make(dimension=1)
    for _ in range(30):
        optimizer.tell([near_target(g) for g in optimizer.ask()])
    np.testing.assert_allclose(optimizer.mean, TARGET[:1], atol=0.02)


def test_stays_within_the_bounds_when_the_optimum_lies_outside() -> None:
    optimizer = make()
    for _ in range(20):
        genomes = optimizer.ask()
        assert all(((g >= 0) & (g <= 1.5)).all() for g in genomes)
        optimizer.tell([float(g.sum()) for g in genomes])
    assert optimizer.mean.min() > 1.3


def test_the_same_seed_and_history_ask_the_same_again() -> None:
    first, second = make(), make()
    for _ in range(10):
        asked, again = first.ask(), second.ask()
        np.testing.assert_array_equal(asked, again)
        told = [near_target(g) for g in asked]
        first.tell(told)
        second.tell(told)


def test_another_seed_asks_otherwise() -> None:
    assert not np.array_equal(make(1).ask(), make(2).ask())


def test_numpys_global_generator_is_neither_read_nor_moved() -> None:
    np.random.seed(0)
    optimizer = make()
    asked = optimizer.ask()
    moved = np.random.random()
    np.random.seed(0)
    assert moved == np.random.random()
    np.testing.assert_array_equal(asked, make().ask())


def test_only_the_ranking_counts() -> None:
    first, second = make(), make()
    for _ in range(5):
        scores = [near_target(g) for g in first.ask()]
        second.ask()
        first.tell(scores)
        second.tell([np.exp(s) * 100 for s in scores])
    np.testing.assert_array_equal(first.mean, second.mean)


def test_failed_candidates_rank_below_the_worst() -> None:
    failed, worst = make(), make()
    genomes = failed.ask()
    worst.ask()
    scores: list[float | None] = [near_target(g) for g in genomes]
    failed.tell([None, *scores[1:]])
    worst.tell([-1e9, *scores[1:]])
    np.testing.assert_array_equal(failed.mean, worst.mean)


def test_ties_end_nothing() -> None:
    optimizer = make()
    for _ in range(100):
        optimizer.tell([0.0] * len(optimizer.ask()))
    assert len(optimizer.ask()) == population_size(8)


def test_a_collapsed_search_starts_again_with_twice_the_population() -> None:
    optimizer = make(dimension=2)
    sizes = set()
    for _ in range(120):
        genomes = optimizer.ask()
        sizes.add(len(genomes))
        optimizer.tell([near_target(g) for g in genomes])
    assert {population_size(2), 2 * population_size(2)} <= sizes


def test_telling_what_was_not_asked_is_refused() -> None:
    optimizer = make()
    with pytest.raises(RuntimeError):
        optimizer.tell([1.0])
    optimizer.ask()
    with pytest.raises(RuntimeError):
        optimizer.ask()


def test_without_a_whole_ranking_the_worse_half_moves_nothing() -> None:
    """Told the worse half in another order, both searches ask the same again, covariance included."""
    first, second = (
        CmaEs(np.zeros(8), np.ones(8), np.full(8, 0.5), seed=3, whole_ranking=False, population=10) for _ in range(2)
    )
    for _ in range(12):
        first.ask()
        second.ask()
        first.tell([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
        second.tell([9, 8, 7, 6, 5, 0, 1, 2, 3, 4])
    np.testing.assert_array_equal(first.ask(), second.ask())
