"""Compiled loops over a tensor's blocks: task vectors, masks, sign election, rounding; nothing here allocates whole tensors.

A tensor is a run of blocks of BLOCK numbers; each kernel does the blocks [first, last), so that threads share a tensor.
What a block gives does not depend on the other blocks, and no loop reorders a sum: neither the number of threads nor the
width of the processor's vectors changes a bit.
"""

from __future__ import annotations

import numpy as np
from numba import carray
from numpy.typing import NDArray

from evomerge_core.compiled import compiled, pointer

# Five buffers of a chunk stay in the first-level cache.
CHUNK = 2048
BLOCK = 8 * CHUNK
# More than any tensor has numbers.
INDICES = 1 << 44

ABSENT, BF16, F32, LOW_RANK = range(4)
KEEP_ALL, KEEP_RANDOM, KEEP_BAND = range(3)

# One tensor of a merge: where its numbers are, its weight, and which entries of its task vector stay.
#   kind      ABSENT: zeros; BF16, F32: the whole tensor at `address`; LOW_RANK: the task vector itself, `up` [rows, rank]
#             at `address` times `down` [rank, width] at `down`, both float32
#   factor    what the task vector is multiplied by (the weight, with the L1 norm given back); `weight` is the raw weight
#   keep      KEEP_RANDOM: where the field of key (key_low, key_high) is below `keep_below` * 2**-24;
#             KEEP_BAND: magnitudes from `floor` up, not those from `ceiling` up, both as float32 bits; of those equal to
#             either the flat indices through `floor_index` and `ceiling_index` count
OPERAND = np.dtype(
    [
        ("kind", np.int64),
        ("address", np.int64),
        ("down", np.int64),
        ("rank", np.int64),
        ("width", np.int64),
        ("weight", np.float32),
        ("factor", np.float32),
        ("keep", np.int64),
        ("key_low", np.uint32),
        ("key_high", np.uint32),
        ("keep_below", np.uint32),
        ("floor", np.uint32),
        ("ceiling", np.uint32),
        ("floor_index", np.int64),
        ("ceiling_index", np.int64),
    ]
)
Operands = NDArray[np.void]

_ZERO = np.float32(0)
_ONE = np.float32(1)
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_INFINITY = np.uint32(0x7F800000)


@compiled
def merge_blocks(
    first: int,
    last: int,
    size: int,
    base: Operands,
    operands: Operands,
    elect: bool,
    normalize: bool,
    divisor: np.float32,
    scale: np.float32,
    out: Operands,
) -> None:
    """out = base + scale * (sum of factor * kept task vector) / divisor, over `size` numbers.

    `base` and `out` hold one operand each (`out` is BF16 or F32). With `elect`, which needs a base, only entries of the
    elected sign are summed, and `normalize` divides by the sum of their raw weights (an exact 0: by 1), not by `divisor`.
    """
    start_values = np.empty(CHUNK, np.float32)
    total = np.empty(CHUNK, np.float32)
    shares = np.empty(CHUNK, np.float32)
    vectors = np.empty((max(operands.size, 1), CHUNK), np.float32)
    for start in range(first * BLOCK, min(last * BLOCK, size), CHUNK):
        n = min(CHUNK, size - start)
        load_numbers(base, 0, start, n, start_values)
        for j in range(n):
            total[j] = _ZERO
        for s in range(operands.size):
            vector = vectors[s]
            _task_vector(operands, s, start, n, start_values, vector)
            _drop(operands, s, start, n, vector)
            if base[0].kind == ABSENT:
                _add_fused(operands[s].factor, n, vector, total)
            else:
                _add_weighted(operands[s].factor, n, vector, total)
        if elect:
            _keep_elected(operands, n, vectors, total, shares)
        if elect and normalize:
            for j in range(n):
                total[j] /= shares[j] if shares[j] != _ZERO else _ONE
        elif divisor != _ONE:
            for j in range(n):
                total[j] /= divisor
        for j in range(n):
            total[j] = start_values[j] + scale * total[j]
        store_numbers(out, start, n, total)


@compiled
def norm_blocks(first: int, last: int, size: int, base: Operands, operands: Operands) -> NDArray[np.float64]:
    """The L1 norms of each block of the first operand's task vector, as it is kept: [blocks]."""
    norms = np.empty(last - first, np.float64)
    start_values = np.empty(CHUNK, np.float32)
    vector = np.empty(CHUNK, np.float32)
    total = np.empty(CHUNK, np.float32)
    for block in range(first, last):
        total[:] = _ZERO
        for start in range(block * BLOCK, min((block + 1) * BLOCK, size), CHUNK):
            n = min(CHUNK, size - start)
            load_numbers(base, 0, start, n, start_values)
            _task_vector(operands, 0, start, n, start_values, vector)
            _drop(operands, 0, start, n, vector)
            _add_magnitudes(n, vector, total)
        norms[block - first] = _sum(total)
    return norms


@compiled
def count_blocks(
    first: int,
    last: int,
    size: int,
    base: Operands,
    operands: Operands,
    prefix_shift: np.uint32,
    prefix: np.uint32,
    shift: np.uint32,
    bins: int,
    by_block: bool,
) -> NDArray[np.int64]:
    """Counts the first operand's magnitudes by (bits >> shift) % bins, where bits >> prefix_shift == prefix.

    `bins` is a power of two. The result is [1, bins], or [blocks, bins] with `by_block`.
    """
    counts = np.zeros((last - first if by_block else 1, bins), np.int64)
    start_values = np.empty(CHUNK, np.float32)
    vector = np.empty(CHUNK, np.float32)
    bits = vector.view(np.uint32)
    mask = np.uint32(bins - 1)
    for start in range(first * BLOCK, min(last * BLOCK, size), CHUNK):
        row = counts[start // BLOCK - first if by_block else 0]
        n = min(CHUNK, size - start)
        load_numbers(base, 0, start, n, start_values)
        _task_vector(operands, 0, start, n, start_values, vector)
        for j in range(n):
            magnitude = np.uint32(bits[j] & _MAGNITUDE)
            if np.uint32(magnitude >> prefix_shift) == prefix:
                row[np.int64(np.uint32(magnitude >> shift) & mask)] += 1
    return counts


@compiled
def collect_blocks(
    first: int,
    last: int,
    size: int,
    base: Operands,
    operands: Operands,
    shift: np.uint32,
    prefix: np.uint32,
    most: int,
) -> NDArray[np.int64]:
    """Keys of the first operand's magnitudes where bits >> shift == prefix, `most` at most: the lower the index of equal
    magnitudes, the larger the key. The bits below `shift` come first in a key, INDICES - 1 - flat index after them."""
    keys = np.empty(most, np.int64)
    start_values = np.empty(CHUNK, np.float32)
    vector = np.empty(CHUNK, np.float32)
    bits = vector.view(np.uint32)
    below = np.uint32((np.uint32(1) << shift) - np.uint32(1))
    found = 0
    for start in range(first * BLOCK, min(last * BLOCK, size), CHUNK):
        n = min(CHUNK, size - start)
        load_numbers(base, 0, start, n, start_values)
        _task_vector(operands, 0, start, n, start_values, vector)
        for j in range(n):
            magnitude = np.uint32(bits[j] & _MAGNITUDE)
            if np.uint32(magnitude >> shift) == prefix:
                keys[found] = np.int64(magnitude & below) * INDICES + (INDICES - 1 - (start + j))
                found += 1
    return keys[:found]


@compiled
def compare_blocks(
    first: int, last: int, size: int, base: Operands, operands: Operands, shift: np.uint32, magnitude: np.uint32
) -> NDArray[np.int64]:
    """Counts the first operand's magnitudes that are larger than `magnitude` but share its bits from `shift` up, and those
    equal to it: [blocks, 2]."""
    counts = np.zeros((last - first, 2), np.int64)
    start_values = np.empty(CHUNK, np.float32)
    vector = np.empty(CHUNK, np.float32)
    bits = vector.view(np.uint32)
    most = np.uint32(magnitude | np.uint32((np.uint32(1) << shift) - np.uint32(1)))
    for start in range(first * BLOCK, min(last * BLOCK, size), CHUNK):
        n = min(CHUNK, size - start)
        load_numbers(base, 0, start, n, start_values)
        _task_vector(operands, 0, start, n, start_values, vector)
        above, equal = np.uint32(0), np.uint32(0)
        for j in range(n):
            found = np.uint32(bits[j] & _MAGNITUDE)
            above += np.uint32((found > magnitude) & (found <= most))
            equal += np.uint32(found == magnitude)
        counts[start // BLOCK - first, 0] += above
        counts[start // BLOCK - first, 1] += equal
    return counts


@compiled
def nth_equal(size: int, base: Operands, operands: Operands, block: int, magnitude: np.uint32, nth: int) -> int:
    """The flat index of the nth (from 1) entry of this magnitude, counted from the start of the block; -1 for none."""
    start_values = np.empty(CHUNK, np.float32)
    vector = np.empty(CHUNK, np.float32)
    bits = vector.view(np.uint32)
    seen = 0
    for start in range(block * BLOCK, min((block + 1) * BLOCK, size), CHUNK):
        n = min(CHUNK, size - start)
        load_numbers(base, 0, start, n, start_values)
        _task_vector(operands, 0, start, n, start_values, vector)
        for j in range(n):
            if np.uint32(bits[j] & _MAGNITUDE) == magnitude:
                seen += 1
                if seen == nth:
                    return start + j
    return -1


@compiled
def load_numbers(operands: Operands, s: int, start: int, n: int, out: NDArray[np.float32]) -> None:
    """Numbers [start, start + n) of the s-th operand, which is a whole tensor or absent, to `out`."""
    kind, address = operands[s].kind, operands[s].address
    if kind == BF16:
        stored = carray(pointer(address + 2 * start), n, np.uint16)
        bits = out.view(np.uint32)
        for j in range(n):
            bits[j] = np.uint32(stored[j]) << np.uint32(16)
    elif kind == F32:
        whole = carray(pointer(address + 4 * start), n, np.float32)
        for j in range(n):
            out[j] = whole[j]
    else:
        for j in range(n):
            out[j] = _ZERO


@compiled
def _task_vector(operands: Operands, s: int, start: int, n: int, base: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    if operands[s].kind == LOW_RANK:
        _multiply(operands[s].address, operands[s].down, operands[s].rank, operands[s].width, start, n, out)
        return
    load_numbers(operands, s, start, n, out)
    for j in range(n):
        out[j] -= base[j]


@compiled
def _multiply(up_address: int, down_address: int, rank: int, width: int, start: int, n: int, out: NDArray[np.float32]) -> None:
    done = 0
    while done < n:
        row, column = divmod(start + done, width)
        m = min(width - column, n - done)
        part = out[done : done + m]
        up = carray(pointer(up_address + 4 * row * rank), rank, np.float32)
        for j in range(m):
            part[j] = _ZERO
        r = 0
        while r + 4 <= rank:
            _add_four(down_address + 4 * (r * width + column), width, up[r : r + 4], m, part)
            r += 4
        while r < rank:
            down = carray(pointer(down_address + 4 * (r * width + column)), m, np.float32)
            for j in range(m):
                part[j] += up[r] * down[j]
            r += 1
        done += m


@compiled
def _add_four(address: int, width: int, up: NDArray[np.float32], m: int, out: NDArray[np.float32]) -> None:
    # Four rows at once: one load and store of `out` for four products.
    a = carray(pointer(address), m, np.float32)
    b = carray(pointer(address + 4 * width), m, np.float32)
    c = carray(pointer(address + 8 * width), m, np.float32)
    d = carray(pointer(address + 12 * width), m, np.float32)
    u, v, w, x = up[0], up[1], up[2], up[3]
    for j in range(m):
        out[j] += (u * a[j] + v * b[j]) + (w * c[j] + x * d[j])


@compiled
def _drop(operands: Operands, s: int, start: int, n: int, vector: NDArray[np.float32]) -> None:
    if operands[s].keep == KEEP_RANDOM:
        _drop_random(start, n, operands[s].key_low, operands[s].key_high, operands[s].keep_below, vector)
    elif operands[s].keep == KEEP_BAND:
        _keep_band(
            start,
            n,
            operands[s].floor,
            operands[s].floor_index,
            operands[s].ceiling,
            operands[s].ceiling_index,
            vector,
        )


@compiled
def _drop_random(
    start: int, n: int, key_low: np.uint32, key_high: np.uint32, keep_below: np.uint32, vector: NDArray[np.float32]
) -> None:
    # The field of methods/random_field.py; compiled integers widen, so each step is cut back to 32 bits. With `start` apart the
    # loop has numbers of 32 bits alone, of which a vector holds twice as many.
    first = np.uint32(np.uint32(np.uint32(start) * np.uint32(0x9E3779B1)) + key_low)
    for j in range(n):
        x = np.uint32(first + np.uint32(np.uint32(j) * np.uint32(0x9E3779B1)))
        x = np.uint32(_mix(x) ^ key_high)
        x = np.uint32(_mix(x) >> np.uint32(8))
        vector[j] = vector[j] if x < keep_below else _ZERO


@compiled
def _mix(x: np.uint32) -> np.uint32:
    x = np.uint32(x ^ np.uint32(x >> np.uint32(16)))
    x = np.uint32(x * np.uint32(0x85EBCA6B))
    x = np.uint32(x ^ np.uint32(x >> np.uint32(13)))
    x = np.uint32(x * np.uint32(0xC2B2AE35))
    return np.uint32(x ^ np.uint32(x >> np.uint32(16)))


@compiled
def _keep_band(
    start: int,
    n: int,
    floor: np.uint32,
    floor_index: int,
    ceiling: np.uint32,
    ceiling_index: int,
    vector: NDArray[np.float32],
) -> None:
    bits = vector.view(np.uint32)
    for j in range(n):
        magnitude = np.uint32(bits[j] & _MAGNITUDE)
        # At a threshold itself the index decides.
        reaches_floor = (magnitude > floor) | ((magnitude == floor) & (start + j <= floor_index))
        reaches_ceiling = (magnitude > ceiling) | ((magnitude == ceiling) & (start + j <= ceiling_index))
        vector[j] = vector[j] if reaches_floor & (not reaches_ceiling) else _ZERO


@compiled
def _add_weighted(factor: np.float32, n: int, vector: NDArray[np.float32], total: NDArray[np.float32]) -> None:
    for j in range(n):
        vector[j] *= factor
        total[j] += vector[j]


@compiled
def _add_fused(factor: np.float32, n: int, vector: NDArray[np.float32], total: NDArray[np.float32]) -> None:
    # Whole tensors may cancel, and then a second rounding shows: one only, as in torch's sums of multiples.
    for j in range(n):
        total[j] = np.float32(np.float64(total[j]) + np.float64(factor) * np.float64(vector[j]))


@compiled
def _keep_elected(
    operands: Operands,
    n: int,
    vectors: NDArray[np.float32],
    total: NDArray[np.float32],
    shares: NDArray[np.float32],
) -> None:
    """Replaces the sum in `total` by that of the entries with its sign; `shares` gets the sum of their weights."""
    sign = np.empty(CHUNK, np.float32)
    for j in range(n):
        sign[j] = _ONE if total[j] >= _ZERO else -_ONE
        total[j] = _ZERO
        shares[j] = _ZERO
    for s in range(operands.size):
        vector = vectors[s]
        weight = operands[s].weight
        for j in range(n):
            agrees = vector[j] * sign[j] > _ZERO
            total[j] += vector[j] if agrees else _ZERO
            shares[j] += weight if agrees else _ZERO


@compiled
def store_numbers(out: Operands, start: int, n: int, values: NDArray[np.float32]) -> None:
    """`values` as numbers [start, start + n) of the tensor `out`, rounded to nearest, ties to even; `values` stay."""
    if out[0].kind == F32:
        whole = carray(pointer(out[0].address + 4 * start), n, np.float32)
        for j in range(n):
            whole[j] = values[j]
        return
    rounded = carray(pointer(out[0].address + 2 * start), n, np.uint16)
    bits = values.view(np.uint32)
    for j in range(n):
        b = bits[j]
        odd = np.uint32(np.uint32(b >> np.uint32(16)) & np.uint32(1))
        up = np.uint32(np.uint32(b + np.uint32(0x7FFF)) + odd)
        is_nan = np.uint32(b & _MAGNITUDE) > _INFINITY
        rounded[j] = np.uint16(0x7FC0) if is_nan else np.uint16(np.uint32(up >> np.uint32(16)))


@compiled
def _add_magnitudes(n: int, vector: NDArray[np.float32], total: NDArray[np.float32]) -> None:
    for j in range(n):
        total[j] += abs(vector[j])


@compiled
def _sum(values: NDArray[np.float32]) -> float:
    # Four chains in a fixed order, for the processor to overlap.
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for j in range(0, values.size, 4):
        a += np.float64(values[j])
        b += np.float64(values[j + 1])
        c += np.float64(values[j + 2])
        d += np.float64(values[j + 3])
    return (a + b) + (c + d)
