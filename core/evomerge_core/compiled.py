"""Compiling loops with numba, and the memory that they reach by its address."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pickle import UnpicklingError
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
        made = njit(cache=True, **options)(function)
    except RuntimeError:
        return njit(**options)(function)  # type: ignore[no-any-return]
    _keep_if_possible(made)
    return made  # type: ignore[no-any-return]


def _keep_if_possible(made: Any) -> None:
    """Lets code that can't be kept, or is kept damaged, cost time only: a disk may be full or have failed in between."""
    cache = made._cache
    load, save = cache.load_overload, cache.save_overload

    def load_or_compile(signature: Any, context: Any) -> Any:
        try:
            return load(signature, context)
        except (OSError, EOFError, UnpicklingError, ValueError):
            return None

    def save_if_possible(signature: Any, data: Any) -> None:
        with suppress(OSError):
            save(signature, data)

    cache.load_overload, cache.save_overload = load_or_compile, save_if_possible


@intrinsic  # type: ignore[untyped-decorator]
def pointer(_context: Any, _address: Any) -> Any:
    """Within compiled loops: what `carray` takes for the memory at an address."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate
