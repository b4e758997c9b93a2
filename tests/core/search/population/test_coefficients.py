"""Members as coefficients, against the same interpolation done on weights."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.search.population.coefficients import cross, dot, moved, without_small


def _slerp(share: float, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """As in Shoemake 1985, on whole vectors."""
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(angle) < 1e-8:
        return (1.0 - share) * first + share * second
    return np.asarray((np.sin((1.0 - share) * angle) * first + np.sin(share * angle) * second) / np.sin(angle))


def _sources(sizes: list[int], count: int, alike: float) -> list[np.ndarray]:
    """One array [sources, entries] for each group; the higher `alike`, the more the sources have in common."""
    draw = np.random.default_rng(7)
    return [alike * draw.normal(size=size) + draw.normal(size=(count, size)) for size in sizes]


def _grams(sources: list[np.ndarray]) -> np.ndarray:
    return np.array([group @ group.T for group in sources])


@pytest.mark.parametrize("alike", [0.0, 3.0, 100.0])
def test_300_generations_are_those_of_the_weights(alike: float) -> None:
    sizes = [40, 7, 150, 3, 64]
    sources = _sources(sizes, 4, alike)
    gram, ends = _grams(sources), np.cumsum([0, *sizes])
    flat = np.concatenate(sources, axis=1)
    coefficients = [np.tile(row, (len(sizes), 1)) for row in np.eye(4)]
    weights = list(flat)
    draw = np.random.default_rng(1)
    for _ in range(300):
        one, other = draw.choice(len(weights), size=2, replace=False)
        split, share = int(draw.integers(len(sizes) + 1)), float(draw.random())
        parents = weights[one], weights[other]
        child = np.concatenate([_slerp(share, *parents)[: ends[split]], _slerp(1.0 - share, *parents)[ends[split] :]])
        made = cross(coefficients[one], coefficients[other], split=split, share=share, gram=gram)
        rebuilt = np.concatenate([row @ group for row, group in zip(made, sources, strict=True)])
        assert np.linalg.norm(rebuilt - child) < 1e-12 * np.linalg.norm(child)
        leaves = int(draw.integers(len(weights)))
        coefficients[leaves], weights[leaves] = made, child


def test_equal_parents_have_their_like() -> None:
    gram = _grams(_sources([5, 6], 2, 0.0))
    parent = np.array([[0.3, 0.7], [0.1, -0.4]])
    np.testing.assert_allclose(cross(parent, parent, split=1, share=0.3, gram=gram), parent, rtol=1e-12)


def test_a_parent_of_length_nothing_is_a_straight_lines_end() -> None:
    gram = _grams(_sources([5], 2, 0.0))
    parent = np.array([[0.5, 1.0]])
    np.testing.assert_allclose(cross(np.zeros((1, 2)), parent, split=1, share=0.25, gram=gram), 0.25 * parent)


def test_opposite_parents_have_a_finite_child() -> None:
    gram = _grams(_sources([5], 1, 0.0))
    assert np.isfinite(cross(np.array([[1.0]]), np.array([[-1.0]]), split=0, share=0.5, gram=gram)).all()


def test_a_dot_product_is_that_of_the_weights() -> None:
    sources = _sources([30, 20], 3, 1.0)
    first, second = np.random.default_rng(0).normal(size=(2, 2, 3))
    weights = [np.concatenate([row @ group for row, group in zip(one, sources, strict=True)]) for one in (first, second)]
    assert dot(first, second, _grams(sources)) == pytest.approx(weights[0] @ weights[1], rel=1e-12)


def test_traces_are_dropped_group_by_group() -> None:
    coefficients = np.array([[1.0, 0.009, -0.02], [0.01, 0.009, 0.0]])
    expected = [[1.0, 0.0, -0.02], [0.01, 0.009, 0.0]]
    np.testing.assert_array_equal(without_small(coefficients, 0.01), expected)


def test_coefficients_move_by_at_most_so_much_and_a_source_that_is_nowhere_stays_away() -> None:
    before = np.array([[1.0, 0.0, 0.5], [0.0, 0.0, 0.5]])
    steps = np.array([moved(before, 0.2, np.random.default_rng(seed)) - before for seed in range(200)])
    assert np.abs(steps).max() <= 0.2
    assert not steps[:, :, 1].any()
    # evenly drawn: the mean of 200 is near 0, the mean size near half of the furthest
    assert np.abs(steps[:, :, [0, 2]].mean(axis=0)).max() < 0.04
    assert np.abs(steps[:, :, [0, 2]]).mean() == pytest.approx(0.1, abs=0.01)
    np.testing.assert_array_equal(moved(before, 0.0, np.random.default_rng(0)), before)
