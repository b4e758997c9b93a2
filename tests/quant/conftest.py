"""Fixtures of the quant tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from support.seeing_gguf_models import as_gguf, store_as_before, write_seeing_gguf_model
from support.tiny_models import make_folder


@dataclass(frozen=True)
class SeeingFiles:
    """A tiny vision-language model of a family, and its GGUF files."""

    folder: Path
    text: Path
    mmproj: Path


@pytest.fixture(scope="session")
def seeing_files(tmp_path_factory: pytest.TempPathFactory, converter: Path) -> Callable[[str], SeeingFiles]:
    """The files of a family, made by llama.cpp's converter when they are first asked for."""
    made: dict[str, SeeingFiles] = {}

    def files(family: str) -> SeeingFiles:
        if family not in made:
            place = tmp_path_factory.mktemp(family)
            folder = write_seeing_gguf_model(place / "model", family)
            if family == "gemma3":
                store_as_before(folder)
            made[family] = SeeingFiles(folder, *as_gguf(folder, converter, place / "gguf"))
        return made[family]

    return files


@pytest.fixture
def model_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a tiny random model of a family, from a seed."""
    return partial(make_folder, tmp_path)
