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


def language_config(folder: Path, whole: Any) -> Any:
    """The config of the language model in a folder's `whole` config of transformers', a text model's being that itself.

    InputError for a vision-language model that isn't scored.
    """
    if not hasattr(whole, "vision_config"):
        return whole
    require_scorable(folder, whole)
    config = whole.get_text_config()
    # Both levels may say it, and transformers goes by the upper one.
    config.tie_word_embeddings = whole.tie_word_embeddings
    return config
