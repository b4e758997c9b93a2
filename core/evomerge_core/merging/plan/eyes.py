"""Which of a merge's models gives the child its eyes: tower, projector, processor, and the rows of the picture's tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import is_tied_name
from evomerge_core.sources.vision.families import family_of
from evomerge_core.sources.vocabulary.image_rows import image_rows


@dataclass(frozen=True)
class KeptRows:
    """Rows of a child's tensor that are a model's own, whatever is merged."""

    model: str
    name: str
    rows: tuple[int, ...]

    def keep(self, merged: Tensor, source: Source) -> Tensor:
        """The merged tensor with those rows as `source`, the model, has them."""
        rows = torch.tensor(self.rows, dtype=torch.int64)
        own = source.read(self.name)[rows].to(merged.device, merged.dtype)
        return merged.index_copy(0, rows.to(merged.device), own)


def eyes_of(references: Iterable[str], sources: Mapping[str, Source]) -> str | None:
    """The first vision-language model among these; None where all are text models."""
    return next((reference for reference in references if sources[reference].checkpoint.body is not None), None)


def kept_rows(name: str, eyes: str | None, sources: Mapping[str, Source]) -> KeptRows | None:
    """What of a child's tensor stays as the model with eyes has it; None for any other tensor."""
    if eyes is None or not is_tied_name(name) or name not in sources[eyes].names:
        return None
    height = sources[eyes].shape(name)[0]
    rows = tuple(row for row in image_rows(sources[eyes]) if row < height)
    return KeptRows(eyes, name, rows) if rows else None


def require_places(eyes: Source, layers: Sequence[int]) -> None:
    """InputError where a child's layers aren't the model's in their order, and its body needs them there."""
    if list(layers) != list(range(len(layers))):
        require_movable(eyes)


def require_movable(eyes: Source) -> None:
    """InputError for a model with eyes whose layers can't change their places."""
    reason = family_of(eyes.config).fixed_layers
    if reason:
        raise InputError(
            f"its layers must stay in their places: {reason}", where=eyes.reference, remedy="merge weights, layer by layer"
        )
