"""linear, nearswap and passthrough, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evomerge_core.errors import InputError
from evomerge_core.methods.linear import linear
from evomerge_core.methods.nearswap import nearswap
from evomerge_core.methods.passthrough import passthrough


@pytest.mark.parametrize("normalize", [True, False])
def test_linear_is_the_weighted_mean_or_sum(normalize: bool) -> None:
    generator = torch.Generator().manual_seed(2)
    tensors = [torch.randn(5, 6, generator=generator) for _ in range(3)]
    weights = np.array([0.2, -0.5, 1.4])
    expected = np.tensordot(weights, np.stack([tensor.double().numpy() for tensor in tensors]), axes=1)
    if normalize:
        expected /= weights.sum()
    result = linear(tensors, weight=weights.tolist(), normalize=normalize)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_linear_adds_in_float32_whatever_the_dtype() -> None:
    # In bfloat16 each 1 + 2**-8 would round away.
    tensors = [torch.tensor([1.0]), *[torch.tensor([2.0**-8])] * 4]
    result = linear([tensor.bfloat16() for tensor in tensors], weight=1.0, normalize=False)
    assert result.dtype == torch.bfloat16
    assert result.item() == 1 + 2**-6


def test_linear_refuses_to_divide_by_weights_that_sum_to_0() -> None:
    with pytest.raises(InputError, match="normalize: false"):
        linear([torch.ones(2), torch.ones(2)], weight=(1.0, -1.0))


def test_nearswap_takes_near_entries_and_moves_by_t_towards_far_ones() -> None:
    base = torch.tensor([0.0, 0.0, 0.0, 1.0])
    other = torch.tensor([0.01, 0.5, -0.5, 1.0])
    np.testing.assert_allclose(nearswap([other], base, t=0.1).numpy(), [0.01, 0.1, -0.1, 1.0], rtol=1e-5)


def test_nearswap_at_0_is_the_base() -> None:
    assert nearswap([torch.ones(3)], torch.zeros(3), t=0.0).tolist() == [0.0, 0.0, 0.0]


def test_passthrough_copies_or_scales() -> None:
    tensor = torch.tensor([1.0, -2.0])
    assert torch.equal(passthrough([tensor]), tensor)
    assert passthrough([tensor], scale=[0.5]).tolist() == [0.5, -1.0]
