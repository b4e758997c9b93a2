from __future__ import annotations

import numpy as np
import pytest
import torch

from evomerge_core.methods.parts.reductions import row_norms


@pytest.mark.parametrize("shape", [(3, 5), (64, 4096), (7, 9001), (2, 1)])
@pytest.mark.parametrize("turned", [False, True])
def test_the_norms_of_rows_are_numpys_in_double_precision(shape: tuple[int, int], turned: bool) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    matrix = matrix.t().contiguous().t() if turned else matrix
    expected = np.linalg.norm(matrix.numpy().astype(np.float64), axis=1).astype(np.float32)
    np.testing.assert_array_equal(row_norms(matrix).numpy(), expected)


def test_threads_leave_every_bit_of_a_norm_as_it_is() -> None:
    matrix = torch.randn((3, 300_000), generator=torch.Generator().manual_seed(3))
    before = torch.get_num_threads()
    try:
        norms = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            norms.append(row_norms(matrix))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(norms[0], norms[1])
    assert torch.equal(norms[0], norms[2])
