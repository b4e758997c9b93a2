"""Text to token ids and back, and the tokens that end an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tokenizers import Tokenizer

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.sources.stored.tokenizer_files import vocabulary_file


class Encoded(Protocol):
    """A text in tokens."""

    @property
    def ids(self) -> list[int]:
        """The tokens' ids."""
        ...


class TextTokenizer(Protocol):
    """What is wanted of a tokenizer: of `tokenizers.Tokenizer`, or of one that answers like it."""

    def encode(self, sequence: str, *, add_special_tokens: bool) -> Encoded:
        """The text's tokens."""
        ...

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        """The tokens' text."""
        ...


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer; the ids that end an answer; the one of them that a gold answer ends with (None: the model has none)."""

    tokenizer: TextTokenizer
    ends: frozenset[int]
    end: int | None

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text; `special` adds what the tokenizer puts around every text (a begin token, say)."""
        return self.tokenizer.encode(text, add_special_tokens=special).ids

    def continuation(self, prompt: str, ids: list[int], text: str, *, special: bool) -> list[int]:
        """Token ids of `text` after `prompt`, whose own ids are `ids`.

        Encoded together, so that a space at the seam lands where the tokenizer wants it; apart when the seam is inside
        of a token.
        """
        whole = self.encode(prompt + text, special=special)
        return whole[len(ids) :] if whole[: len(ids)] == ids else self.encode(text)

    def decode(self, ids: list[int]) -> str:
        """The text of token ids, without special tokens."""
        return self.tokenizer.decode(ids, skip_special_tokens=True)


def read_vocabulary(folder: Path, ends: Sequence[int] | None = None) -> Vocabulary:
    """The vocabulary of a tokenizer's folder; `ends` are the ids that end an answer (None: as the model in it states).

    Raises InputError when the tokenizer is missing or can't be read.
    """
    tokenizer = _tokenizer(folder)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ends = _end_ids(folder) if ends is None else ends
    named = tokenizer.token_to_id(_end_token(folder))
    end = named if named in ends else next(iter(ends), None)
    return Vocabulary(tokenizer, frozenset(ends), end)


def _tokenizer(folder: Path) -> Tokenizer:
    file = folder / "tokenizer.json"
    if file.is_file():
        # For some families what transformers 5 builds from it gives other ids.
        return Tokenizer.from_file(str(file))
    if vocabulary_file(folder) is None:
        raise InputError(f"{file}: not found; save the model's fast tokenizer there")
    backend = getattr(read_tokenizer(folder), "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise InputError("its tokenizer has no fast form", where=folder, remedy="save the model's fast tokenizer there")
    return backend


def _end_ids(folder: Path) -> list[int]:
    for name in ("generation_config.json", "config.json"):
        found = _read(folder / name).get("eos_token_id")
        if found is not None:
            return [found] if isinstance(found, int) else list(found)
    return []


def _end_token(folder: Path) -> str:
    token = _read(folder / "tokenizer_config.json").get("eos_token") or ""
    return str(token.get("content") or "" if isinstance(token, dict) else token)


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    return read_json(file)
