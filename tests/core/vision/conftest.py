from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from support.vision_models import write_text_model, write_vision_model

Write = Callable[[str], Path]


@pytest.fixture(scope="session")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    folders: dict[tuple[str, str], Path] = {}

    def write(kind: str, family: str) -> Path:
        if (kind, family) not in folders:
            make = write_vision_model if kind == "eyes" else write_text_model
            folders[kind, family] = make(tmp_path_factory.mktemp(kind) / family, family)
        return folders[kind, family]

    return write


@pytest.fixture
def pair(_written: Callable[[str, str], Path], tmp_path: Path) -> Write:
    """Puts copies of a family's model and of a text model that fits it into `eyes` and `text` of the returned folder."""

    def write(family: str) -> Path:
        for kind in ("eyes", "text"):
            copytree(_written(kind, family), tmp_path / kind)
        return tmp_path

    return write
