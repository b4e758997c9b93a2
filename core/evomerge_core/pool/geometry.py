"""How alike models are as task vectors of one base: all their dot products, in one pass over the tensors.

Weights alone don't tell who is useful (task vectors of other skills are all about orthogonal); they tell who is a copy. The
last bits are a library's, and nothing is bred with them: that takes `merging.gram`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evomerge_core.sources.adapter import LowRank
from evomerge_core.sources.source import Source

Gram = NDArray[np.float64]

# Entries of all task vectors together that are in memory at once: 128 MB in float64.
_AT_ONCE = 1 << 24


def gram_of(base: Source, members: Sequence[Source]) -> Gram:
    """The dot products of the members' task vectors over all of the base's tensors: float64 [members, members].

    Members must fit the base, their rows in its order. Tensors are read one after the other and in pieces of some rows;
    what adapters add isn't multiplied out where only adapters differ from the base.
    """
    total = np.zeros((len(members), len(members)))
    for name in base.names:
        changes = [_change(base, member, name) for member in members]
        if any(change.differs for change in changes):
            total += _gram_of_one(base, name, changes)
    return total


def cosines(gram: Gram) -> Gram:
    """The cosine of every two task vectors; 0 where one of them is 0."""
    norms = np.sqrt(np.diag(gram))
    lengths = np.outer(norms, norms)
    found: Gram = np.divide(gram, lengths, out=np.zeros_like(gram), where=lengths > 0)
    return found


@dataclass(frozen=True)
class _Change:
    """What a member's tensor adds to the base's: nothing, a product of `factors`, or whatever `rows` reads (from, to)."""

    factors: LowRank | None
    rows: Callable[[int, int], Tensor] | None

    @property
    def differs(self) -> bool:
        return self.factors is not None or self.rows is not None


_NOTHING = _Change(None, None)


def _change(base: Source, member: Source, name: str) -> _Change:
    if name not in member.checkpoint.tensors:  # a tied member's head, of a base with eyes
        return _NOTHING
    shares_model = member.checkpoint is base.checkpoint
    if shares_model and member.adapter is None:
        return _NOTHING
    factors = member.low_rank(name) if shares_model else None
    if factors is not None:
        return _Change(factors, None)
    if shares_model and not _is_touched(member, name):
        return _NOTHING
    own = member.read(name)
    return _Change(None, lambda start, end: own[start:end].double() - base.read(name)[start:end].double())


def _is_touched(member: Source, name: str) -> bool:
    adapter = member.adapter
    return adapter is not None and any(name in part for part in (adapter.pairs, adapter.replaced, adapter.rows, adapter.biases))


def _gram_of_one(base: Source, name: str, changes: Sequence[_Change]) -> Gram:
    if all(change.rows is None for change in changes):
        return _gram_of_factors([change.factors for change in changes])
    shape = base.shape(name)
    step = max(1, _AT_ONCE // (len(changes) * max(1, int(np.prod(shape[1:])))))
    total = np.zeros((len(changes), len(changes)))
    for start in range(0, shape[0], step):
        end = min(start + step, shape[0])
        some = torch.stack([_piece(change, start, end, (end - start, *shape[1:])) for change in changes]).numpy()
        total += some @ some.T
    return total


def _piece(change: _Change, start: int, end: int, shape: tuple[int, ...]) -> Tensor:
    if change.rows is not None:
        return change.rows(start, end).reshape(-1)
    if change.factors is None:
        return torch.zeros(int(np.prod(shape)), dtype=torch.float64)
    up, down, scale = change.factors
    return (scale * (up[start:end].double() @ down.double())).reshape(-1)


def _gram_of_factors(factors: Sequence[LowRank | None]) -> Gram:
    """<s U D, t V E> = s t sum((U^T V) * (D E^T)), which no product of the factors' full size goes into."""
    total = np.zeros((len(factors), len(factors)))
    for row, one in enumerate(factors):
        for column, other in enumerate(factors[: row + 1]):
            if one is not None and other is not None:
                inner = (one.up.double().T @ other.up.double()) * (one.down.double() @ other.down.double().T)
                total[row, column] = total[column, row] = one.scale * other.scale * float(inner.sum())
    return total
