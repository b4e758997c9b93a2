"""Fixtures of the llama.cpp tests: one tiny model serves them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny_gguf import save_folder, write_gguf


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model folder."""
    return save_folder(tmp_path_factory.mktemp("llama") / "model")


@pytest.fixture(scope="session")
def gguf_file(folder: Path) -> Path:
    """The same model as a GGUF in float32."""
    return write_gguf(folder, folder.with_name("model-F32.gguf"))
