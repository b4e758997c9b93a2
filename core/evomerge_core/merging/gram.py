"""The dot products of what a merge weighs: all that is to be known of the sources to interpolate their merges on a sphere.

The same on every processor to the last bit, since a search breeds with them; `pool.geometry` has those that only tell who is
alike, faster where sources are adapters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations_with_replacement

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evomerge_core.merging.plan.plan import TensorInput, TensorMerge
from evomerge_core.methods.parts.reductions import dot
from evomerge_core.sources.source import Source

# Entries of each source that are in memory together, in float64.
_AT_ONCE = 1 << 20


def gram_by_group(
    plan: Sequence[TensorMerge], sources: Mapping[str, Source], group: Callable[[str], int], groups: int
) -> NDArray[np.float64]:
    """The dot products of each two inputs' tensors in each group, float64 [groups, inputs, inputs], in one pass over the
    sources; of their task vectors where the merge has a base.

    `group` says which a tensor belongs to. All tensors of the plan have the same inputs in the same order.
    """
    pairs = list(combinations_with_replacement(range(len(plan[0].inputs)), 2))
    found: dict[tuple[int, int, int], list[float]] = {(g, *pair): [] for g in range(groups) for pair in pairs}
    for merge in plan:
        for vectors in _vectors(merge, sources):
            for one, other in pairs:
                found[group(merge.name), one, other].append(dot(vectors[one], vectors[other]))
    gram = np.zeros((groups, len(plan[0].inputs), len(plan[0].inputs)))
    for (g, one, other), parts in found.items():
        gram[g, one, other] = gram[g, other, one] = math.fsum(parts)
    return gram


def _vectors(merge: TensorMerge, sources: Mapping[str, Source]) -> Iterator[list[Tensor]]:
    """Each input's entries, piece by piece, less the base's."""

    def read(one: TensorInput) -> Tensor:
        return sources[one.model].read(one.name).reshape(-1)

    base, tensors = None if merge.base is None else read(merge.base), [read(one) for one in merge.inputs]
    for start in range(0, len(tensors[0]), _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        origin = 0.0 if base is None else base[piece].to(torch.float64)
        yield [tensor[piece].to(torch.float64) - origin for tensor in tensors]
