"""The k-th largest magnitude of a task vector, exactly, in two passes once its coarse counts are known.

A float32's 31 bits without the sign order as the magnitudes do; they are found from the top: 12, 12 and 7 of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evomerge_core.merging.blocks import for_blocks
from evomerge_core.merging.kernels import Operands, count_blocks, nth_equal

Counts = NDArray[np.int64]


class Threshold(NamedTuple):
    """The k largest magnitudes are those above `bits` (a float32's, without sign) and, of those equal, the ones whose flat
    index is at most `last_index`."""

    bits: int
    last_index: int


NONE_REACH = Threshold(0xFFFFFFFF, -1)


def coarse_counts(size: int, base: Operands, vector: Operands) -> Counts:
    """How many of the task vector's magnitudes have each value of their upper 12 bits: [4096]."""
    return _counts(size, base, vector, _Step(31, 0, 19, 12))


def threshold(size: int, base: Operands, vector: Operands, k: int, coarse: Counts) -> Threshold:
    """The threshold that the k largest of `size` magnitudes reach; equal magnitudes count from the lowest flat index.

    `vector` holds one operand, `coarse` its `coarse_counts`; k is from 0 to `size`.
    """
    if k <= 0:
        return NONE_REACH
    upper, missing = _bin_of(coarse, k)
    middle, missing = _bin_of(_counts(size, base, vector, _Step(19, upper, 7, 12)), missing)
    prefix = upper << 12 | middle
    by_block = _counts_by_block(size, base, vector, _Step(7, prefix, 0, 7))
    lower, missing = _bin_of(by_block.sum(axis=0), missing)
    bits = prefix << 7 | lower
    equal = np.cumsum(by_block[:, lower])
    block = int(np.searchsorted(equal, missing))
    before = int(equal[block - 1]) if block else 0
    return Threshold(bits, int(nth_equal(size, base, vector, block, np.uint32(bits), missing - before)))


class _Step(NamedTuple):
    """Counts by `bits` bits from `shift` up, among the magnitudes whose bits from `prefix_shift` up are `prefix`."""

    prefix_shift: int
    prefix: int
    shift: int
    bits: int


def _counts(size: int, base: Operands, vector: Operands, step: _Step) -> Counts:
    counts: list[Counts] = for_blocks(count_blocks, size, base, vector, *_arguments(step), False)
    total: Counts = np.concatenate(counts).sum(axis=0)
    return total


def _counts_by_block(size: int, base: Operands, vector: Operands, step: _Step) -> Counts:
    return np.concatenate(for_blocks(count_blocks, size, base, vector, *_arguments(step), True))


def _arguments(step: _Step) -> tuple[object, ...]:
    return np.uint32(step.prefix_shift), np.uint32(step.prefix), np.uint32(step.shift), 1 << step.bits


def _bin_of(counts: Counts, k: int) -> tuple[int, int]:
    """The bin that holds the k-th from the top, and its place within the bin (from 1)."""
    from_top = np.cumsum(counts[::-1])
    place = int(np.searchsorted(from_top, k))
    above = int(from_top[place - 1]) if place else 0
    return len(counts) - 1 - place, k - above
