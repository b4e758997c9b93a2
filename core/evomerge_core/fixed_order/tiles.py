"""Small blocks of dot products as LLVM code: sixteen chains of fused multiply-adds each, added up in a fixed order.

The order of a sum is part of its result in floating point. Libraries choose it by instruction set and number of threads; here
entry i of a vector always goes to chain i % 16, each step is rounded once (IEEE 754's fusedMultiplyAdd), and the chains are
added pairwise. The bits are then those of any processor: one with AVX2 holds the chains in two registers, one with AVX-512 in
one, and only the time differs. numba leaves such loops in their order, but doesn't spread a sum over chains by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16

_FLOAT = ir.FloatType()
_CHAINS = ir.VectorType(_FLOAT, LANES)
_WORD = ir.IntType(64)
_FLOAT_BYTES = 4

# (rows, columns) of the block whose chains fit into the registers, 16 of 8 numbers or 32 of 16.
BLOCK_ROWS, BLOCK_COLUMNS = (4, 4) if binding.get_host_cpu_features().get("avx512f", False) else (2, 3)


def make_tile(rows: int, columns: int) -> Callable[..., None]:
    """A numba intrinsic `tile(left, left_step, right, right_step, depth, out, out_step, add)`, all whole numbers:

    out[i, j] (+)= sum over k < depth of left[i, k] * right[j, k], for i < rows and j < columns, float32. `left`, `right` and
    `out` are addresses, steps count float32 entries from one row to the next, and `add` is 1 where the sums are added to
    what `out` holds.
    """

    @intrinsic  # type: ignore[untyped-decorator, unused-ignore]
    def tile(
        _: Any, left: Any, left_step: Any, right: Any, right_step: Any, depth: Any, out: Any, out_step: Any, add: Any
    ) -> Any:
        taken = (left, left_step, right, right_step, depth, out, out_step, add)

        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            left, left_step, right, right_step, depth, out, out_step, add = arguments
            lefts = [_row(builder, left, left_step, i) for i in range(rows)]
            rights = [_row(builder, right, right_step, j) for j in range(columns)]
            in_chains = builder.and_(depth, _WORD(-LANES))
            chains = _accumulate(builder, lefts, rights, (_WORD(0), in_chains), [[_zeros()] * columns] * rows)
            sums = [[_total(builder, chain) for chain in row] for row in chains]
            sums = _accumulate(builder, lefts, rights, (in_chains, depth), sums)
            for i, row in enumerate(sums):
                for j, value in enumerate(row):
                    place = _at(builder, _row(builder, out, out_step, i), _WORD(j), _FLOAT)
                    before = builder.load(place, align=_FLOAT_BYTES, typ=_FLOAT)
                    added = builder.select(builder.trunc(add, ir.IntType(1)), builder.fadd(before, value), value)
                    builder.store(added, place, align=_FLOAT_BYTES)
            return context.get_dummy_value()

        return types.void(*[types.int64] * len(taken)), generate

    return tile  # type: ignore[no-any-return]


def _accumulate(
    builder: Any, lefts: list[Any], rights: list[Any], part: tuple[Any, Any], start: list[list[Any]]
) -> list[list[Any]]:
    """`start` [rows][columns] plus the products over a part (first, end) of the depth, in steps as wide as its values are."""
    kind = start[0][0].type
    width = LANES if kind == _CHAINS else 1
    cells = [[cgutils.alloca_once(builder, kind) for _ in rights] for _ in lefts]
    for row, values in zip(cells, start, strict=True):
        for cell, value in zip(row, values, strict=True):
            builder.store(value, cell)
    with cgutils.for_range_slice(builder, *part, _WORD(width)) as (k, _):
        left_values = [_load(builder, base, k, kind) for base in lefts]
        right_values = [_load(builder, base, k, kind) for base in rights]
        for row, left in zip(cells, left_values, strict=True):
            for cell, right in zip(row, right_values, strict=True):
                builder.store(_multiply_add(builder, left, right, builder.load(cell)), cell)
    return [[builder.load(cell) for cell in row] for row in cells]


def _multiply_add(builder: Any, left: Any, right: Any, added: Any) -> Any:
    name = "llvm.fma.f32" if left.type == _FLOAT else f"llvm.fma.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(left.type, [left.type] * 3), name)
    return builder.call(function, [left, right, added])


def _total(builder: Any, chains: Any) -> Any:
    """The chains' sum: the upper half is added to the lower until one number is left."""
    width = LANES
    while width > 1:
        half = width // 2
        nothing = ir.Constant(ir.VectorType(_FLOAT, width), ir.Undefined)
        lower, upper = (
            builder.shuffle_vector(chains, nothing, ir.Constant(ir.VectorType(ir.IntType(32), half), list(places)))
            for places in (range(half), range(half, width))
        )
        chains, width = builder.fadd(lower, upper), half
    return builder.extract_element(chains, ir.IntType(32)(0))


def _zeros() -> Any:
    return ir.Constant(_CHAINS, [0.0] * LANES)


def _row(builder: Any, base: Any, step: Any, number: int) -> Any:
    return builder.add(base, builder.mul(step, _WORD(number * _FLOAT_BYTES)))


def _at(builder: Any, base: Any, index: Any, kind: Any) -> Any:
    return builder.inttoptr(builder.add(base, builder.mul(index, _WORD(_FLOAT_BYTES))), ir.PointerType(kind))


def _load(builder: Any, base: Any, index: Any, kind: Any) -> Any:
    return builder.load(_at(builder, base, index, kind), align=_FLOAT_BYTES, typ=kind)
