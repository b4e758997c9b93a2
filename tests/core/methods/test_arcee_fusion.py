"""Arcee Fusion against its formula in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evomerge_core.methods.arcee_fusion import arcee_fusion


def formula(tensor: np.ndarray, base: np.ndarray) -> np.ndarray:
    """scipy's softmax and relative entropy by hand, and quartiles by sorting."""

    def softmax(values: np.ndarray) -> np.ndarray:
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True) + 1e-8

    p, q = softmax(tensor), softmax(base)
    importance = np.abs(tensor - base) * (p * np.log(p / q)).sum(axis=-1, keepdims=True)
    ordered = np.sort(importance.ravel())
    quarter, median, three = (ordered[int(part * (ordered.size - 1))] for part in (0.25, 0.5, 0.75))
    return np.where(importance >= median + 1.5 * (three - quarter), tensor, base)


@pytest.mark.parametrize("shape", [(40, 30), (7,), (3, 5, 8)])
def test_entries_of_much_importance_are_the_other_models(shape: tuple[int, ...]) -> None:
    numbers = np.random.default_rng(0)
    # Rows that differ by much and by little, so that no importance lies at the threshold by accident.
    base = numbers.normal(size=shape)
    tensor = base + numbers.normal(size=shape) * numbers.exponential(size=(*shape[:-1], 1))
    expected = formula(tensor, base)
    assert 0 < (expected != base).mean() < 0.5
    merged = arcee_fusion([torch.tensor(tensor)], torch.tensor(base))
    np.testing.assert_allclose(merged.numpy(), expected, rtol=1e-12)


def test_equal_models_give_the_base() -> None:
    base = torch.tensor([[1.0, 2.0, 3.0]])
    assert torch.equal(arcee_fusion([base.clone()], base), base)
