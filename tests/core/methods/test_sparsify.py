"""Thinning a task vector: which entries stay, and what rescaling gives back."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.methods.parts import sparsify
from evomerge_core.methods.parts.random_field import uniform_field

DENSITIES = [0.0, 0.01, 0.1, 0.25, 0.5, 0.8, 0.99]


@pytest.fixture
def delta() -> Tensor:
    """Rounded, so that many magnitudes are equal and some entries are 0."""
    return torch.round(torch.randn(37, 53, generator=torch.Generator().manual_seed(1)) * 20) / 1000


def by_magnitude(delta: Tensor) -> list[int]:
    """Flat indices, the largest magnitude first, equal ones by index."""
    flat = [abs(value) for value in delta.flatten().tolist()]
    return sorted(range(len(flat)), key=lambda index: (-flat[index], index))


def kept_indices(thinned: Tensor) -> set[int]:
    return set(thinned.flatten().nonzero().flatten().tolist())


def nonzero_indices(delta: Tensor, indices: list[int]) -> set[int]:
    return {index for index in indices if delta.flatten()[index] != 0}


@pytest.mark.parametrize("density", DENSITIES)
def test_trim_keeps_the_largest_entries_and_of_equal_ones_the_first(delta: Tensor, density: float) -> None:
    expected = by_magnitude(delta)[: int(density * delta.numel())]
    thinned = sparsify.trim(delta, density)
    assert kept_indices(thinned) == nonzero_indices(delta, expected)
    assert torch.equal(thinned, torch.where(thinned != 0, delta, 0.0))


def test_trim_keeps_one_entry_at_the_smallest_density_and_none_at_0(delta: Tensor) -> None:
    assert len(kept_indices(sparsify.trim(delta, 1e-9))) == 1
    assert len(kept_indices(sparsify.trim(delta, 0.0))) == 0


@pytest.mark.parametrize("k", [1, 2, 10, 500, 37 * 53 - 1, 37 * 53, 37 * 53 + 5])
def test_threshold_and_last_index_name_the_k_largest(delta: Tensor, k: int) -> None:
    threshold, last_index = sparsify.magnitude_threshold(delta, k)
    flat = delta.flatten().tolist()
    kept = [i for i, x in enumerate(flat) if abs(x) > threshold or (abs(x) == threshold and i <= last_index)]
    assert sorted(by_magnitude(delta)[:k]) == kept


def test_threshold_for_no_entry_lets_none_through(delta: Tensor) -> None:
    assert sparsify.magnitude_threshold(delta, 0) == (math.inf, -1)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.1, 0.6])
@pytest.mark.parametrize("density", DENSITIES)
def test_breadcrumbs_drop_the_top_then_the_smallest_until_density_remains(delta: Tensor, density: float, gamma: float) -> None:
    numel = delta.numel()
    kept, top = int(density * numel), int(gamma * numel)
    # The top is spared as far as density needs it.
    start = min(top, numel - kept)
    expected = by_magnitude(delta)[start : start + kept]
    assert kept_indices(sparsify.drop_extremes(delta, density, gamma)) == nonzero_indices(delta, expected)


@pytest.mark.parametrize("density", DENSITIES)
def test_dare_keeps_an_entry_when_its_number_is_below_density(delta: Tensor, density: float) -> None:
    field = uniform_field(11, delta.shape).numpy()
    expected = np.where(field < density, delta.numpy(), 0)
    np.testing.assert_array_equal(sparsify.drop_random(delta, density, 11, rescale=False).numpy(), expected)


@pytest.mark.parametrize(
    "thin",
    [
        lambda delta, density: sparsify.trim(delta, density),
        lambda delta, density: sparsify.drop_random(delta, density, 3, rescale=False),
        lambda delta, density: sparsify.drop_by_rank(delta, density, 0.05, 3, rescale=False),
    ],
    ids=["trim", "dare", "della"],
)
def test_masks_are_nested_in_density(delta: Tensor, thin: Callable[[Tensor, float], Tensor]) -> None:
    masks = [kept_indices(thin(delta, density)) for density in (0.06, 0.2, 0.21, 0.5, 0.75, 0.94)]
    assert all(smaller < larger for smaller, larger in pairwise(masks))


@pytest.mark.parametrize(
    "thin",
    [
        lambda delta, density: sparsify.trim(delta, density, rescale=True),
        lambda delta, density: sparsify.drop_extremes(delta, density, 0.02, rescale=True),
        lambda delta, density: sparsify.drop_random(delta, density, 3, rescale=True),
        lambda delta, density: sparsify.drop_by_rank(delta, density, 0.05, 3, rescale=True),
    ],
    ids=["trim", "breadcrumbs", "dare", "della"],
)
def test_rescaling_gives_back_the_l1_norm(delta: Tensor, thin: Callable[[Tensor, float], Tensor]) -> None:
    thinned = thin(delta, 0.4)
    before, after = np.abs(delta.double().numpy()).sum(), np.abs(thinned.double().numpy()).sum()
    assert after == pytest.approx(before, rel=1e-6)
    kept = thinned != 0
    ratios = (thinned[kept] / delta[kept]).tolist()
    assert max(ratios) == pytest.approx(min(ratios), rel=1e-6)


def test_rescaling_leaves_vanishing_task_vectors_alone() -> None:
    delta = torch.full((4, 4), 1e-9)
    assert sparsify.trim(delta, 0.5, rescale=True).sum() == pytest.approx(8e-9)


@pytest.mark.parametrize("density", [1.0, 1.5])
def test_full_density_changes_nothing(delta: Tensor, density: float) -> None:
    assert torch.equal(sparsify.trim(delta, density, rescale=True), delta)
    assert torch.equal(sparsify.drop_extremes(delta, density, 0.1), delta)
    assert torch.equal(sparsify.drop_random(delta, density, 3), delta)
    assert torch.equal(sparsify.drop_by_rank(delta, density, 0.1, 3), delta)


def test_della_probabilities_rise_with_the_rank_in_each_row() -> None:
    delta = torch.tensor([[0.3, -0.1, 0.2, -0.4], [-5.0, 1.0, 3.0, 2.0]])
    step = 0.2 / 3
    expected = [[0.4 + 2 * step, 0.4, 0.4 + step, 0.6], [0.6, 0.4, 0.4 + 2 * step, 0.4 + step]]
    np.testing.assert_allclose(sparsify.rank_probabilities(delta, 0.5, 0.1).numpy(), expected, rtol=1e-6)


def test_della_takes_a_vector_as_one_row_and_an_entry_alone_at_its_density() -> None:
    vector = torch.tensor([1.0, -3.0, 2.0])
    np.testing.assert_allclose(sparsify.rank_probabilities(vector, 0.5, 0.1).numpy(), [0.4, 0.6, 0.5], rtol=1e-6)
    np.testing.assert_allclose(sparsify.rank_probabilities(torch.ones(3, 1), 0.5, 0.1).numpy(), [[0.5]] * 3)


def test_della_keeps_an_entry_when_its_number_is_below_its_probability(delta: Tensor) -> None:
    ranks = np.empty(delta.shape)
    for row, values in enumerate(delta.numpy()):
        order = sorted(range(len(values)), key=lambda column: (-abs(values[column]), column))
        ranks[row, order] = np.arange(len(values))[::-1]
    probabilities = 0.3 + 0.2 * ranks / (delta.shape[1] - 1)
    kept = uniform_field(8, delta.shape).numpy() < probabilities
    thinned = sparsify.drop_by_rank(delta, 0.4, 0.1, 8, rescale=False).numpy()
    np.testing.assert_array_equal(thinned, np.where(kept, delta.numpy(), 0))


@pytest.mark.parametrize(("density", "epsilon"), [(0.1, 0.1), (0.9, 0.1), (0.05, 0.15)])
def test_della_refuses_probabilities_outside_0_and_1(delta: Tensor, density: float, epsilon: float) -> None:
    with pytest.raises(InputError, match="lower epsilon"):
        sparsify.drop_by_rank(delta, density, epsilon, 3)


def test_della_at_density_0_drops_everything(delta: Tensor) -> None:
    assert not sparsify.drop_by_rank(delta, 0.0, 0.1, 3).any()
