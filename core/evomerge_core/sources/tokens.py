"""Vocabularies, and the alignment of one model's rows to another's by token string."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.sources.source import MEAN, Rows, Source
from evomerge_core.sources.stored.fingerprint import identity
from evomerge_core.sources.stored.tokenizer_files import tokenizer_files, vocabulary_file, why_unreadable
from evomerge_core.sources.tensors.names import is_end


class _Tokens(NamedTuple):
    """Token string -> row: of all tokens, and of those that are marked as special."""

    all: Mapping[str, int]
    special: Mapping[str, int]


def vocabulary(source: Source) -> Mapping[str, int] | None:
    """Token string -> row, added tokens included; None when the model has no tokenizer that can be read here."""
    tokens = _tokens(source)
    return None if tokens is None else tokens.all


def special_tokens(source: Source) -> Mapping[str, int]:
    """Token string -> row of the special tokens, which no text contains; none where `vocabulary` is None."""
    tokens = _tokens(source)
    return {} if tokens is None else tokens.special


def _tokens(source: Source) -> _Tokens | None:
    folder = source.tokenizer_folder
    path = vocabulary_file(folder)
    if path is None:
        return None
    if path.name == "tokenizer.json":
        return _read(path, identity(path))
    return _convert(folder, tuple(identity(file) for file in tokenizer_files(folder)))


def why_without_tokens(source: Source) -> InputError:
    """Why `vocabulary` is None."""
    folder = source.tokenizer_folder
    reason = why_unreadable(folder)
    if reason is not None:
        return reason
    try:
        read_tokenizer(folder)
    except InputError as error:
        return error
    return InputError("can't be read as a list of tokens", where=folder, remedy="add tokenizer.json")


def align(base: Source, source: Source, *, forced: Container[str] = (), padded: bool = False) -> Source:
    """The source with its embedding and head rows in the base's order and height.

    A token that the source lacks keeps the base's row. Rows beyond the tokenizer's tokens are taken from the same place
    where both have them; with `padded` they are the mean of the source's others. `forced` tokens have the base's row even
    where the source has the token. Equal vocabularies give the source unchanged. Raises InputError where heights differ and a
    tokenizer is missing or can't be read.
    """
    plain = replace(source, rows=None)
    if source.tokenizer_folder == base.tokenizer_folder and _heights(source) == _heights(base):
        return plain
    ends = [name for name in plain.names if is_end(name) and name in base.names]
    rows = {name: _rows(base, plain, name, forced, padded) for name in ends}
    changed = {name: Rows(index, base) for name, index in rows.items() if index is not None}
    return replace(plain, rows=changed) if changed else plain


def align_all(
    base: Source, sources: Mapping[str, Source], *, forced: Container[str] = (), padded: bool = False
) -> dict[str, Source]:
    """Every source aligned to the base, by reference."""
    return {reference: align(base, source, forced=forced, padded=padded) for reference, source in sources.items()}


def shared_tokens(base: Source, source: Source) -> float:
    """The part of the smaller vocabulary's tokens that the other has too, 0 to 1; 1 where one can't be read."""
    ours, theirs = vocabulary(base), vocabulary(source)
    if ours is None or theirs is None:
        return 1.0
    return len(ours.keys() & theirs.keys()) / max(1, min(len(ours), len(theirs)))


def _heights(source: Source) -> dict[str, tuple[int, ...]]:
    """The rows of embedding and head; an adapter on the same model may have others."""
    return {name: source.shape(name)[:1] for name in source.names if is_end(name)}


def _rows(base: Source, source: Source, name: str, forced: Container[str], padded: bool) -> Tensor | None:
    """For each of the base's rows the source's row or -1; None when that changes nothing."""
    height, own = base.shape(name)[0], source.shape(name)[0]
    ours, theirs = vocabulary(base), vocabulary(source)
    if ours is None or theirs is None:
        if height == own:
            return None
        reason = why_without_tokens(base if ours is None else source)
        raise InputError(
            f"{reason.problem}, but {name} has {own} rows in {source.reference} and {height} in {base.reference}",
            where=reason.where,
            remedy=f"{reason.remedy}, so that rows can be aligned by token",
        )
    without = {token: row for token, row in theirs.items() if token not in forced}
    index = torch.tensor(_match(ours, without, height, own, padded), dtype=torch.int64)
    return None if height == own and bool((index == torch.arange(height)).all()) else index


def _match(ours: Mapping[str, int], theirs: Mapping[str, int], height: int, own: int, padded: bool) -> list[int]:
    taken = set(theirs.values())
    index = [MEAN if padded else row if row < own and row not in taken else -1 for row in range(height)]
    for token, row in ours.items():
        if row < height:
            found = theirs.get(token, -1)
            index[row] = found if found < own else -1
    return index


@lru_cache(maxsize=8)
def _convert(folder: Path, _: tuple[tuple[str, int, int], ...]) -> _Tokens | None:
    """The tokens of a tokenizer in another form, as transformers reads it; None where it can't."""
    try:
        tokenizer = read_tokenizer(folder)
    except InputError:
        return None
    special = {token.content: row for row, token in tokenizer.added_tokens_decoder.items() if token.special}
    return _Tokens(tokenizer.get_vocab(), special)


@lru_cache(maxsize=32)
def _read(path: Path, _: tuple[str, int, int]) -> _Tokens:
    """The second argument makes the cache notice a changed file."""
    content = read_json(path)
    try:
        model: dict[str, Any] = content["model"]
        vocab = model["vocab"]
        # Unigram models list (token, score) by row, the others map a token to its row.
        tokens = {entry[0]: row for row, entry in enumerate(vocab)} if isinstance(vocab, list) else dict(vocab)
        added = content.get("added_tokens") or ()
        tokens |= {token["content"]: token["id"] for token in added}
        special = {token["content"]: token["id"] for token in added if token.get("special")}
        if not all(isinstance(token, str) and type(row) is int and row >= 0 for token, row in tokens.items()):
            raise ValueError("a token that isn't text, or whose id isn't a whole number from 0")
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise InputError(
            f"not a tokenizer of the tokenizers library ({error!r})", where=path, remedy="download or copy it again"
        ) from None
    return _Tokens(tokens, special)
