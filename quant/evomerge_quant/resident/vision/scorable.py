"""Which families' pictures the resident model reads as transformers does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.vision.families import family_of


def require_scorable(folder: Path, config: Any) -> None:
    """InputError for a model whose pictures take more than features in the place of embeddings; `config` is transformers'."""
    family = family_of(config.to_dict())
    if family.beyond:
        raise InputError(
            f"{family.title} is not yet scored: {family.beyond}", where=folder / "config.json", remedy="take another base"
        )
