from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.source_models import write_model


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untied model in float32; not to be written to."""
    return write_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def copy_of(pristine: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of the pristine model that a test may spoil."""
    return lambda name: Path(shutil.copytree(pristine, tmp_path / name))
