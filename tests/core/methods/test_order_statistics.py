"""The n-th smallest number against numpy's sort."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from evomerge_core.methods.parts import order_statistics
from evomerge_core.methods.parts.order_statistics import nth_smallest

DRAWN = torch.randn(3001, generator=torch.Generator().manual_seed(4))
TINY = torch.tensor([0.0, 1e-45, -1e-45, -0.0, 3e38, -3e38, torch.inf, -torch.inf, 1e-38, -1.0])


@pytest.mark.parametrize("values", [DRAWN, DRAWN.round(), DRAWN.abs(), TINY, torch.full((50,), -2.5)])
def test_it_is_that_of_a_sort(values: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_statistics, "_PIECE", 1000)  # several pieces, the last one short
    in_order = np.sort(values.numpy())
    places = sorted({1, 2, len(values) // 3, len(values) - 1, len(values)})
    assert [nth_smallest(values, n) for n in places] == [float(in_order[n - 1]) for n in places]


def test_a_matrix_is_taken_as_one_row_whatever_its_layout() -> None:
    matrix = DRAWN[:3000].reshape(60, 50).t()
    assert nth_smallest(matrix, 1500) == float(np.sort(matrix.numpy().ravel())[1499])


def test_what_is_no_number_comes_last_as_in_a_sort() -> None:
    values = torch.tensor([torch.nan, 1.0, torch.inf, -2.0])
    assert nth_smallest(values, 3) == torch.inf
    assert np.isnan(nth_smallest(values, 4))
