"""Compiled loops work wherever they can't be kept."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from numba.core import caching

from evomerge_core.compiled import compiled


def plus_one(x: int) -> int:
    return x + 1


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_code_that_cannot_be_kept_runs(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def fails(*_: Any) -> None:
        raise OSError(error, "no")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", fails)
    monkeypatch.setattr(caching.IndexDataCacheFile, "load", lambda *_: None)
    assert compiled(plus_one)(2) == 3


@pytest.mark.parametrize("error", [OSError(errno.EIO, "no"), EOFError(), ValueError("a damaged index")])
def test_code_that_cannot_be_read_is_compiled_again(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(caching.IndexDataCacheFile, "load", fails)
    assert compiled(plus_one)(2) == 3


def test_without_any_folder_for_it_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", fails)
    assert compiled(plus_one)(2) == 3
