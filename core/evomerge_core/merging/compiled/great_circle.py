"""SLERP by compiled loops: the angle is measured once for each tensor, a merge is then one pass over both ends.

The maths is that of `methods/slerp.py`, which the tests compare with, in float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evomerge_core.compiled import compiled
from evomerge_core.merging.compiled.blocks import for_blocks
from evomerge_core.merging.compiled.child_room import ChildRoom
from evomerge_core.merging.compiled.kernels import BLOCK, CHUNK, Operands, load_numbers, store_numbers
from evomerge_core.merging.compiled.operands import Operand, records, whole
from evomerge_core.merging.compiled.task_vector import VectorFacts
from evomerge_core.merging.plan.plan import TensorMerge
from evomerge_core.methods.slerp import cosine, great_circle_weights
from evomerge_core.sources.source import Source

METHOD = "slerp"


def merge_great_circle(
    merge: TensorMerge, sources: Mapping[str, Source], facts: VectorFacts, room: ChildRoom, out_dtype: torch.dtype
) -> Tensor:
    """The merged tensor in `out_dtype`, rounded once from float32. The merge has a base and one input."""
    ends = [tensor_input for tensor_input in (merge.base, *merge.inputs) if tensor_input is not None]
    start, end = (whole(sources[one.model].read(one.name)) for one in ends)
    shape = sources[ends[0].model].shape(ends[0].name)
    size, subject = math.prod(shape), (merge.name, *(part for one in ends for part in (one.model, one.name)))
    weights = great_circle_weights(facts.cosine(subject, lambda: _cosine(size, start, end)), float(merge.parameters["t"]))
    weighted = [one.with_fields(factor=weight) for one, weight in zip((start, end), weights, strict=True)]
    made = room.make(shape, out_dtype)
    for_blocks(mix_blocks, size, records(weighted), records([whole(made)]))
    return made.to(out_dtype)


def _cosine(size: int, start: Operand, end: Operand) -> float:
    sums = np.concatenate(for_blocks(dot_blocks, size, records([start, end])))
    return cosine(*(math.fsum(column) for column in sums.T))


@compiled
def dot_blocks(first: int, last: int, size: int, ends: Operands) -> NDArray[np.float64]:
    """The dot products of each block of two tensors: the first with itself, the second with itself, both: [blocks, 3]."""
    sums = np.empty((last - first, 3), np.float64)
    one, other = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    products = np.empty((3, CHUNK), np.float64)
    for block in range(first, last):
        products[:] = 0.0
        for start in range(block * BLOCK, min((block + 1) * BLOCK, size), CHUNK):
            n = min(CHUNK, size - start)
            load_numbers(ends, 0, start, n, one)
            load_numbers(ends, 1, start, n, other)
            for j in range(n):
                a, b = np.float64(one[j]), np.float64(other[j])
                products[0, j] += a * a
                products[1, j] += b * b
                products[2, j] += a * b
        for k in range(3):
            total = 0.0
            for j in range(CHUNK):
                total += products[k, j]
            sums[block - first, k] = total
    return sums


@compiled
def mix_blocks(first: int, last: int, size: int, ends: Operands, out: Operands) -> None:
    """out = the first tensor times its factor, plus the second times its own, each product rounded to float32."""
    one, other = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    for start in range(first * BLOCK, min(last * BLOCK, size), CHUNK):
        n = min(CHUNK, size - start)
        load_numbers(ends, 0, start, n, one)
        load_numbers(ends, 1, start, n, other)
        for j in range(n):
            one[j] *= ends[0].factor
        for j in range(n):
            one[j] += ends[1].factor * other[j]
        store_numbers(out, start, n, one)
