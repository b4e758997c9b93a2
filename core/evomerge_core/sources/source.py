"""A source of a merge: a checkpoint, with or without an adapter, named as the user wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evomerge_core.sources.adapter import Adapter, LowRank, open_adapter
from evomerge_core.sources.checkpoint import Checkpoint, open_checkpoint
from evomerge_core.sources.resolve import locate
from evomerge_core.sources.stored.fingerprint import sha256_of
from evomerge_core.sources.stored.tokenizer_files import vocabulary_file

MEAN = -2


@dataclass(frozen=True, eq=False)
class Rows:
    """Where a tensor's rows come from once the vocabulary is aligned.

    `index` [rows of the base] int64 holds the source's row, or -1 where the source has none and `fallback`'s row stands, or
    `MEAN` for a row of padding, which is the mean of all that are none.
    """

    index: Tensor
    fallback: Source


@dataclass(frozen=True, eq=False)
class Source:
    """A model to merge. Tensors are read one at a time from mapped files; nothing is kept.

    `rows` states for embedding and head how the vocabulary was aligned to the base's. Tensors that are read as stored
    are mapped from the file and must not be written to.
    """

    reference: str
    checkpoint: Checkpoint
    adapter: Adapter | None = None
    rows: Mapping[str, Rows] | None = None

    @property
    def label(self) -> str:
        """A short name to show: the last part of the reference's path or id."""
        folder = self.reference.replace("\\", "/").rstrip("/")
        return folder.rpartition("/")[2] or self.reference

    @property
    def config(self) -> Mapping[str, Any]:
        """The checkpoint's config.json."""
        return self.checkpoint.config

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors' names, in the order of the checkpoint's files; a tied head isn't among them."""
        return tuple(self.checkpoint.tensors)

    @property
    def tied(self) -> bool:
        """Whether the head shares the embedding's weights, so that there is no tensor for it."""
        return self.checkpoint.tied

    @property
    def folder(self) -> Path:
        """The checkpoint's folder."""
        return self.checkpoint.folder

    @property
    def tokenizer_folder(self) -> Path:
        """The folder whose tokenizer fits the embedding: the adapter's, where that brings its own rows and tokenizer."""
        adapter = self.adapter
        if adapter is not None and vocabulary_file(adapter.folder) in adapter.files:
            return adapter.folder
        return self.folder

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape that `read` gives."""
        shape = self._own_shape(name)
        rows = self._rows(name)
        return shape if rows is None else (len(rows.index), *shape[1:])

    def dtype(self, name: str) -> torch.dtype:
        """The dtype that `read` gives: as stored, float32 where an adapter adds to the tensor."""
        stored = self.checkpoint.dtype(name)
        return stored if self.adapter is None else self.adapter.dtype(name, stored)

    def read(self, name: str) -> Tensor:
        """The tensor, mapped, as stored; merged with the adapter where that changes it, as peft's merge_and_unload does."""
        stored = self.checkpoint.read(name)
        return self._aligned(name, stored if self.adapter is None else self.adapter.merged(name, stored))

    def stored(self, name: str) -> Tensor:
        """The checkpoint's own tensor, without the adapter, mapped, as stored (rows in the base's order when aligned)."""
        return self._aligned(name, self.checkpoint.read(name))

    def low_rank(self, name: str) -> LowRank | None:
        """What the adapter adds to `stored`; None where it adds nothing, or does something else (then `read` has it)."""
        low_rank = None if self.adapter is None else self.adapter.low_rank(name)
        rows = self._rows(name)
        if low_rank is None or rows is None:
            return low_rank
        if bool((rows.index == MEAN).any()):
            return None
        # Rows that come from the base already are what they shall be.
        up = low_rank.up[rows.index.clamp(min=0)] * (rows.index >= 0).unsqueeze(1)
        return LowRank(up, low_rank.down, low_rank.scale)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that the model is read from, the adapter's last."""
        return (*self.checkpoint.files, *(() if self.adapter is None else self.adapter.files))

    @property
    def named_files(self) -> dict[str, Path]:
        """The same files by name; an adapter's are listed under `adapter/`."""
        adapter = () if self.adapter is None else self.adapter.files
        return {path.name: path for path in self.checkpoint.files} | {f"adapter/{path.name}": path for path in adapter}

    def fingerprints(self) -> dict[str, str]:
        """The sha256 of every file that is read, by the names of `named_files`."""
        return {name: sha256_of(path) for name, path in self.named_files.items()}

    def _own_shape(self, name: str) -> tuple[int, ...]:
        if self.adapter is not None and name in self.adapter.replaced:
            return self.adapter.weights.facts[self.adapter.replaced[name]].shape
        return self.checkpoint.facts(name).shape

    def _rows(self, name: str) -> Rows | None:
        return None if self.rows is None else self.rows.get(name)

    def _aligned(self, name: str, tensor: Tensor) -> Tensor:
        rows = self._rows(name)
        if rows is None:
            return tensor
        lacking, padding = rows.index == -1, rows.index == MEAN
        aligned = tensor[rows.index.clamp(min=0)]
        if bool(lacking.any()):
            aligned[lacking] = rows.fallback.read(name)[lacking].to(aligned.dtype)
        if bool(padding.any()):
            from evomerge_core.methods.parts.reductions import mean_row

            aligned[padding] = mean_row(aligned[~padding]).to(aligned.dtype)
        return aligned


def open_source(reference: str, *, relative_to: Path, allow_pickle: bool = False) -> Source:
    """Opens `model` or `model+adapter`, each a local folder or a hub id (`owner/name`, `owner/name@revision`).

    `relative_to` is the folder that relative paths start from, `allow_pickle` admits
    `.bin` files. Raises InputError with what is wrong and what to do.
    """
    return open_sources([reference], relative_to=relative_to, allow_pickle=allow_pickle)[reference]


def open_sources(references: Iterable[str], *, relative_to: Path, allow_pickle: bool = False) -> dict[str, Source]:
    """Opens sources by reference, as `open_source` does; a checkpoint that several share is opened once."""
    opened: dict[Path, Checkpoint] = {}
    sources: dict[str, Source] = {}
    for reference in references:
        place = locate(reference, relative_to=relative_to, allow_pickle=allow_pickle)
        if place.model not in opened:
            opened[place.model] = open_checkpoint(place.model, allow_pickle=allow_pickle)
        checkpoint = opened[place.model]
        adapter = open_adapter(place.adapter, checkpoint, allow_pickle=allow_pickle) if place.adapter else None
        sources[reference] = Source(reference, checkpoint, adapter)
    return sources
