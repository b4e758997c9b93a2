"""Memory for the tensors of a child, of which the loops write one at a time."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class ChildRoom:
    """Gives each tensor memory of its own; with `reuses`, the same to one after another: that of the largest so far.

    Memory that is new is given page by page as it is written, which takes as long as many a merge.
    """

    def __init__(self, *, reuses: bool) -> None:
        self._reuses = reuses
        self._kept: dict[torch.dtype, Tensor] = {}

    def make(self, shape: tuple[int, ...], out_dtype: torch.dtype) -> Tensor:
        """A tensor to write: bfloat16, or float32 for every other dtype, which is then rounded from it."""
        dtype = torch.bfloat16 if out_dtype == torch.bfloat16 else torch.float32
        if not self._reuses:
            return torch.empty(shape, dtype=dtype)
        numbers, kept = math.prod(shape), self._kept.get(dtype)
        if kept is None or kept.numel() < numbers:
            kept = self._kept[dtype] = torch.empty(numbers, dtype=dtype)
        return kept[:numbers].view(shape)
