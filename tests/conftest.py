"""Fixtures of several folders of tests; being here, it makes `support` importable in all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_quant.gguf.convert.converter import find_converter


@pytest.fixture(scope="session")
def converter() -> Path:
    """llama.cpp's converter as users get it: from the cache, or downloaded once."""
    return find_converter()
