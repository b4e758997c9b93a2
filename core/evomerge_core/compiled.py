"""Compiling loops with numba, and the memory that they reach by its address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles once per machine; without any folder to keep the code in, once per process."""
    return _compile(function, parallel=False)


def compiled_for_threads(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, its `prange` loops shared among threads. No sum may run over such a loop: its order would be the threads'."""
    return _compile(function, parallel=True)


def _compile(function: Callable[..., Any], *, parallel: bool) -> Callable[..., Any]:
    options = {"nogil": True, "error_model": "numpy", "parallel": parallel}
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(**options)(function)  # type: ignore[no-any-return]


@intrinsic  # type: ignore[untyped-decorator]
def pointer(_context: Any, _address: Any) -> Any:
    """Within compiled loops: what `carray` takes for the memory at an address."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate
