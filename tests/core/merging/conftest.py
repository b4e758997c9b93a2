from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from evomerge_core.sources.source import Source, open_sources
from support.merging_models import write_adapter, write_base, write_fine_tune


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `base`, its fine-tunes `first`, `second` and `third`, and its adapter `lora`."""
    folder = tmp_path_factory.mktemp("models")
    base = write_base(folder / "base")
    for seed, name in enumerate(("first", "second", "third")):
        write_fine_tune(base, folder / name, seed)
    write_adapter(base, folder / "lora", seed=5)
    return folder


@pytest.fixture(scope="session")
def sources(models: Path) -> Mapping[str, Source]:
    """The models, opened by name, and `base+lora`."""
    return open_sources(["base", "first", "second", "third", "base+lora"], relative_to=models)
