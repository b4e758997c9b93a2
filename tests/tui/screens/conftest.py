"""Fixtures of several files of screen tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.tiny_run import write_recipe


@pytest.fixture(scope="session")
def unchanged_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `place` is a copy of."""
    return write_recipe(tmp_path_factory.mktemp("good")).parent


@pytest.fixture
def place(unchanged_place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with its models and items, to change."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    return Path(shutil.copytree(unchanged_place, tmp_path / "place"))
