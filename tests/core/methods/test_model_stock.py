"""Model Stock: where between base and mean, by the angle between task vectors."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from evomerge_core.methods.model_stock import model_stock


@pytest.mark.parametrize("degrees", [0.0, 30.0, 60.0, 90.0])
def test_two_models_follow_the_papers_ratio(degrees: float) -> None:
    base, cosine = torch.tensor([1.0, 1.0]), math.cos(math.radians(degrees))
    first = base + torch.tensor([2.0, 0.0])
    second = base + 3 * torch.tensor([cosine, math.sin(math.radians(degrees))])
    t = 2 * cosine / (1 + cosine)
    expected = t * (first + second) / 2 + (1 - t) * base
    torch.testing.assert_close(model_stock([first, second], base), expected)


def test_opposite_models_give_the_base() -> None:
    base = torch.tensor([1.0, 2.0])
    assert torch.equal(model_stock([base + 1, base - 1], base), base)


def test_models_equal_to_the_base_give_the_base() -> None:
    base = torch.tensor([1.0, 2.0])
    assert torch.equal(model_stock([base, base], base), base)


@pytest.mark.parametrize("filter_wise", [False, True])
def test_many_models_equal_the_formula(filter_wise: bool) -> None:
    generator = torch.Generator().manual_seed(4)
    base = torch.randn(6, 9, generator=generator)
    shared = torch.randn(6, 9, generator=generator)
    tensors = [base + shared + torch.randn(6, 9, generator=generator) for _ in range(4)]
    result = model_stock(tensors, base, filter_wise=filter_wise)
    if not filter_wise:
        np.testing.assert_allclose(result.numpy(), formula(tensors, base), rtol=1e-5, atol=1e-5)
        return
    for row in range(6):
        expected = formula([tensor[row] for tensor in tensors], base[row])
        np.testing.assert_allclose(result[row].numpy(), expected, rtol=1e-5, atol=1e-5)


def test_a_vector_is_one_filter() -> None:
    generator = torch.Generator().manual_seed(4)
    base, *tensors = (torch.randn(9, generator=generator) for _ in range(4))
    torch.testing.assert_close(model_stock(tensors, base, filter_wise=True), model_stock(tensors, base))


def formula(tensors: list[Tensor], base: Tensor) -> np.ndarray:
    origin = base.double().numpy().ravel()
    points = [tensor.double().numpy().ravel() for tensor in tensors]
    deltas = [point - origin for point in points]
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in combinations(deltas, 2)]
    n, c = len(points), np.mean(cosines)
    t = n * c / (1 + (n - 1) * c)
    return np.asarray(t * np.mean(points, axis=0) + (1 - t) * origin).reshape(base.shape)
