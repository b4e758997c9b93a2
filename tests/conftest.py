"""Fixtures of several folders of tests; being here, it makes the modules beside it importable too."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_quant.gguf.convert.converter import find_converter


@pytest.fixture(scope="session")
def converter() -> Path:
    """llama.cpp's converter as users get it: from the cache, or downloaded once."""
    return find_converter()
