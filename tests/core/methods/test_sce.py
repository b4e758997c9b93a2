"""SCE: select by variance, weigh by squares, erase the minority's signs; against the formula in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evomerge_core.methods.sce import sce


@pytest.mark.parametrize("select_topk", [0.0, 0.1, 0.5, 1.0])
def test_method_equals_its_formula(select_topk: float) -> None:
    generator = torch.Generator().manual_seed(6)
    base = torch.randn(15, 11, generator=generator)
    tensors = [base + torch.randn(15, 11, generator=generator) * scale for scale in (0.2, 0.1, 0.3)]
    for tensor in tensors:
        tensor[:, :3] = base[:, :3]

    deltas = np.stack([(tensor - base).double().numpy() for tensor in tensors])
    variance = deltas.var(axis=0)
    selected = np.argsort(-variance.ravel(), kind="stable")[: int(select_topk * (variance > 0).sum())]
    mask = np.zeros(variance.size, dtype=bool)
    mask[selected] = True
    deltas *= mask.reshape(variance.shape)
    squares = (deltas**2).mean(axis=(1, 2))
    weights = squares / squares.sum() if squares.sum() > 0 else np.full(3, 1 / 3)
    agrees = np.sign(deltas) == np.where(deltas.sum(axis=0) >= 0, 1, -1)
    shares = weights[:, None, None] * agrees
    expected = base.double().numpy() + (shares * deltas).sum(axis=0) / np.maximum(shares.sum(axis=0), 1e-6)

    result = sce(tensors, base, select_topk=select_topk)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_faint_task_vectors_weigh_the_same() -> None:
    base = torch.zeros(4)
    tensors = [torch.full((4,), 1e-4), torch.full((4,), 3e-4)]
    np.testing.assert_allclose(sce(tensors, base).numpy(), [2e-4] * 4, rtol=1e-5)


def test_models_equal_to_the_base_give_the_base() -> None:
    base = torch.ones(4)
    assert torch.equal(sce([base, base], base, select_topk=0.5), base)
