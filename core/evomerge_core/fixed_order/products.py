"""Products of float32 matrices whose bits are the same on every processor, with any number of threads."""

from __future__ import annotations

import numba
import torch
from numba import prange
from torch import Tensor

from evomerge_core.compiled import compiled, compiled_for_threads
from evomerge_core.fixed_order.tiles import BLOCK_COLUMNS, BLOCK_ROWS, LANES, make_tile

# Longer sums are cut, so that the rows of a block of sums stay in the first cache; the cuts depend on the length alone.
_MOST_DEPTH = 1024
# Entries of the left matrix that are gone through before the next columns are taken: they stay in the second cache.
_LEFT_ENTRIES = 1 << 16
# Columns that a thread takes at a time.
COLUMNS_AT_ONCE = 24
# Below so many multiplications waking other threads costs more than they save.
_FEW_PRODUCTS = 1 << 18

_tile = make_tile(BLOCK_ROWS, BLOCK_COLUMNS)
_one_row = make_tile(1, BLOCK_COLUMNS)
_one_column = make_tile(BLOCK_ROWS, 1)
_one_entry = make_tile(1, 1)


def product(left: Tensor, right: Tensor) -> Tensor:
    """left [..., depth] times right [columns, depth] transposed: [..., columns]; the depth is at least 1.

    Both float32 on the CPU; ValueError otherwise.
    """
    for matrix in (left, right):
        if matrix.dtype != torch.float32 or matrix.device.type != "cpu":
            raise ValueError(f"a product in fixed order takes float32 on the CPU, not {matrix.dtype} on {matrix.device}")
    rows = left.reshape(-1, left.shape[-1]).contiguous()
    right = right.contiguous()
    out = torch.empty(rows.shape[0], right.shape[0])
    kernel = _fill if out.numel() * right.shape[1] > _FEW_PRODUCTS else _fill_alone
    use_torch_threads()
    kernel(rows.data_ptr(), rows.shape[0], right.data_ptr(), right.shape[0], right.shape[1], out.data_ptr())
    return out.reshape(*left.shape[:-1], right.shape[0])


def use_torch_threads() -> None:
    """Lets numba's loops take as many threads as torch's."""
    wanted = min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)
    if numba.get_num_threads() != wanted:
        numba.set_num_threads(wanted)


@compiled
def _depth_at_once(depth):  # type: ignore[no-untyped-def]
    """How long the pieces are that a sum of `depth` products is cut into."""
    pieces = max(1, (depth + _MOST_DEPTH - 1) // _MOST_DEPTH)
    return ((depth + pieces - 1) // pieces + LANES - 1) // LANES * LANES


@compiled
def fill_columns(left, rows, right, first, end, columns, depth, out):  # type: ignore[no-untyped-def]
    """Columns first..end - 1 of out [rows, columns] = left [rows, depth] times right transposed; all are addresses or counts.

    `right` is the address of row `first`.
    """
    piece = _depth_at_once(depth)
    rows_at_once = max(1, _LEFT_ENTRIES // piece // BLOCK_ROWS) * BLOCK_ROWS
    for begin in range(0, depth, piece):
        length = min(piece, depth - begin)
        add = 1 if begin else 0
        for top in range(0, rows, rows_at_once):
            bottom = min(rows, top + rows_at_once)
            column = first
            while column < end:
                own = right + 4 * ((column - first) * depth + begin)
                wide = column + BLOCK_COLUMNS <= end
                row = top
                while row < bottom:
                    tall = row + BLOCK_ROWS <= bottom
                    theirs, place = left + 4 * (row * depth + begin), out + 4 * (row * columns + column)
                    if wide and tall:
                        _tile(theirs, depth, own, depth, length, place, columns, add)
                    elif wide:
                        _one_row(theirs, depth, own, depth, length, place, columns, add)
                    elif tall:
                        _one_column(theirs, depth, own, depth, length, place, columns, add)
                    else:
                        _one_entry(theirs, depth, own, depth, length, place, columns, add)
                    row += BLOCK_ROWS if tall else 1
                column += BLOCK_COLUMNS if wide else 1


@compiled
def _fill_alone(left, rows, right, columns, depth, out):  # type: ignore[no-untyped-def]
    fill_columns(left, rows, right, 0, columns, columns, depth, out)


@compiled_for_threads
def _fill(left, rows, right, columns, depth, out):  # type: ignore[no-untyped-def]
    for part in prange((columns + COLUMNS_AT_ONCE - 1) // COLUMNS_AT_ONCE):
        first = part * COLUMNS_AT_ONCE
        end = min(columns, first + COLUMNS_AT_ONCE)
        fill_columns(left, rows, right + 4 * first * depth, first, end, columns, depth, out)


@compiled
def dot_rows(left, right, right_step, count, depth, out):  # type: ignore[no-untyped-def]
    """out[j] = the dot product of `left` [depth] with row j of `right`, j < count; addresses, and a step in entries."""
    j = 0
    while j < count:
        wide = j + BLOCK_COLUMNS <= count
        if wide:
            _one_row(left, 0, right + 4 * j * right_step, right_step, depth, out + 4 * j, 0, 0)
        else:
            _one_entry(left, 0, right + 4 * j * right_step, right_step, depth, out + 4 * j, 0, 0)
        j += BLOCK_COLUMNS if wide else 1
