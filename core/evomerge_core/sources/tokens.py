"""Vocabularies, and the alignment of one model's rows to another's by token string."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.checkpoint import EMBEDDING, HEAD
from evomerge_core.sources.fingerprint import identity
from evomerge_core.sources.source import Rows, Source


def vocabulary(source: Source) -> Mapping[str, int] | None:
    """Token string -> row, added tokens included; None when the model has no tokenizer.json."""
    path = source.tokenizer_folder / "tokenizer.json"
    return _read(path, identity(path)) if path.is_file() else None


def align(base: Source, source: Source) -> Source:
    """The source with its embedding and head rows in the base's order and height.

    A token that the source lacks keeps the base's row. Rows beyond the tokenizer's tokens are taken from the same place
    where both have them. Equal vocabularies give the source unchanged. Raises InputError where heights differ
    and a tokenizer.json is missing.
    """
    plain = replace(source, rows=None)
    if source.checkpoint == base.checkpoint and source.tokenizer_folder == base.tokenizer_folder:
        return plain
    rows = {name: _rows(base, plain, name) for name in plain.names if _is_end(name) and name in base.names}
    changed = {name: Rows(index, base) for name, index in rows.items() if index is not None}
    return replace(plain, rows=changed) if changed else plain


def align_all(base: Source, sources: Mapping[str, Source]) -> dict[str, Source]:
    """Every source aligned to the base, by reference."""
    return {reference: align(base, source) for reference, source in sources.items()}


def shared_tokens(base: Source, source: Source) -> float:
    """The part of the smaller vocabulary's tokens that the other has too, 0 to 1; 1 where a tokenizer.json is missing."""
    ours, theirs = vocabulary(base), vocabulary(source)
    if ours is None or theirs is None:
        return 1.0
    return len(ours.keys() & theirs.keys()) / max(1, min(len(ours), len(theirs)))


def _is_end(name: str) -> bool:
    return bool(EMBEDDING.search(name) or HEAD.search(name))


def _rows(base: Source, source: Source, name: str) -> Tensor | None:
    """For each of the base's rows the source's row or -1; None when that changes nothing."""
    height, own = base.shape(name)[0], source.shape(name)[0]
    ours, theirs = vocabulary(base), vocabulary(source)
    if ours is None or theirs is None:
        if height == own:
            return None
        lacking = base if ours is None else source
        raise InputError(
            f"no such file, but {name} has {own} rows in {source.reference} and {height} in {base.reference}",
            where=lacking.tokenizer_folder / "tokenizer.json",
            remedy="add the tokenizer, so that rows can be aligned by token",
        )
    index = torch.tensor(_match(ours, theirs, height, own), dtype=torch.int64)
    return None if height == own and bool((index == torch.arange(height)).all()) else index


def _match(ours: Mapping[str, int], theirs: Mapping[str, int], height: int, own: int) -> list[int]:
    taken = set(theirs.values())
    index = [row if row < own and row not in taken else -1 for row in range(height)]
    for token, row in ours.items():
        if row < height:
            found = theirs.get(token, -1)
            index[row] = found if found < own else -1
    return index


@lru_cache(maxsize=32)
def _read(path: Path, _: tuple[str, int, int]) -> Mapping[str, int]:
    """The second argument makes the cache notice a changed file."""
    content = read_json(path)
    try:
        model: dict[str, Any] = content["model"]
        vocab = model["vocab"]
        # Unigram models list (token, score) by row, the others map a token to its row.
        tokens = {entry[0]: row for row, entry in enumerate(vocab)} if isinstance(vocab, list) else dict(vocab)
        tokens |= {added["content"]: added["id"] for added in content.get("added_tokens") or ()}
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InputError(
            f"not a tokenizer of the tokenizers library ({error!r})", where=path, remedy="download or copy it again"
        ) from None
    return tokens
