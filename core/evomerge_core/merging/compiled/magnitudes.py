"""The k-th largest magnitude of a task vector, exactly, in one pass once its coarse counts are known.

A float32's 31 bits without the sign order as the magnitudes do. The upper 14 tell a bin of coarse counts; the magnitudes in
it are few as a rule, and are collected and ranked. A full bin holds many equal magnitudes, as differences of bfloat16 numbers
are small multiples of one step: they end in zeros, so its lowest value is tried before the bin is counted down further.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evomerge_core.merging.compiled.blocks import for_blocks
from evomerge_core.merging.compiled.kernels import INDICES, Operands, collect_blocks, compare_blocks, count_blocks, nth_equal

Counts = NDArray[np.int64]

_COARSE_SHIFT = 17
# A bin with a smaller share of all magnitudes than this is collected.
_FEW = 1 / 16


class Threshold(NamedTuple):
    """The k largest magnitudes are those above `bits` (a float32's, without sign) and, of those equal, the ones whose flat
    index is at most `last_index`."""

    bits: int
    last_index: int


NONE_REACH = Threshold(0xFFFFFFFF, -1)


def coarse_counts(size: int, base: Operands, vector: Operands) -> Counts:
    """How many of the task vector's magnitudes have each value of their upper 14 bits: [16384]."""
    return _counts(size, base, vector, _Step(31, 0, _COARSE_SHIFT, 14)).astype(np.int32 if size < 2**31 else np.int64)


def threshold(size: int, base: Operands, vector: Operands, k: int, coarse: Counts) -> Threshold:
    """The threshold that the k largest of `size` magnitudes reach; equal magnitudes count from the lowest flat index.

    `vector` holds one operand, `coarse` its `coarse_counts`; k is from 0 to `size`.
    """
    if k <= 0:
        return NONE_REACH
    prefix, rank = _bin_of(coarse, k)
    count = int(coarse[prefix])
    if count <= _FEW * size:
        return _ranked(size, base, vector, prefix, rank, count)
    return _counted_down(size, base, vector, prefix, rank)


def _ranked(size: int, base: Operands, vector: Operands, prefix: int, rank: int, count: int) -> Threshold:
    step = (np.uint32(_COARSE_SHIFT), np.uint32(prefix), count)
    keys = np.concatenate(for_blocks(collect_blocks, size, base, vector, *step))
    low, mirrored = divmod(int(np.partition(keys, count - rank)[count - rank]), INDICES)
    return Threshold(prefix << _COARSE_SHIFT | low, INDICES - 1 - mirrored)


def _counted_down(size: int, base: Operands, vector: Operands, prefix: int, rank: int) -> Threshold:
    bits = prefix << _COARSE_SHIFT
    above, equal = np.concatenate(for_blocks(compare_blocks, size, base, vector, np.uint32(_COARSE_SHIFT), np.uint32(bits))).T
    if rank > above.sum():
        return _among_equals(size, base, vector, bits, equal, rank - int(above.sum()))
    middle, rank = _bin_of(_counts(size, base, vector, _Step(_COARSE_SHIFT, prefix, 7, 10)), rank)
    prefix = prefix << 10 | middle
    by_block = _counts_by_block(size, base, vector, _Step(7, prefix, 0, 7))
    lower, rank = _bin_of(by_block.sum(axis=0), rank)
    return _among_equals(size, base, vector, prefix << 7 | lower, by_block[:, lower], rank)


def _among_equals(size: int, base: Operands, vector: Operands, bits: int, by_block: Counts, rank: int) -> Threshold:
    """The threshold at the entry that is `rank`-th of those equal to `bits`; `by_block` counts them in each block."""
    equal = np.cumsum(by_block)
    block = int(np.searchsorted(equal, rank))
    before = int(equal[block - 1]) if block else 0
    return Threshold(bits, int(nth_equal(size, base, vector, block, np.uint32(bits), rank - before)))


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
