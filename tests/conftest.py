"""Fixtures of several folders of tests; being here, it makes `support` importable in all of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before torch is imported, here and in the jobs that tests start: tests run side by side, one on each core.
os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")

from evomerge_quant.gguf.convert.converter import find_converter

# pytest-xdist tells its workers a size, which would win over that of any terminal that a test opens.
for _size in ("COLUMNS", "LINES"):
    os.environ.pop(_size, None)


@pytest.fixture(scope="session")
def converter() -> Path:
    """llama.cpp's converter as users get it: from the cache, or downloaded once."""
    return find_converter()
