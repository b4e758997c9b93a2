"""The files that a tokenizer comes in, and what this environment lacks to read them."""

from __future__ import annotations

import base64
import binascii
from importlib.util import find_spec
from pathlib import Path

from evomerge_core.errors import InputError

TEMPLATES = "additional_chat_templates"
# Files that hold a vocabulary, the one that is read first.
_VOCABULARIES = (
    "tokenizer.json",
    "tekken.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tiktoken.model",
    "vocab.json",
    "vocab.txt",
)
_OTHERS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
_COPY_JSON = "copy the tokenizer.json of the original model beside it"


def tokenizer_files(folder: Path) -> list[Path]:
    """Every file of a folder's tokenizer and its chat templates, those in a subfolder last."""
    own = [folder / name for name in (*_VOCABULARIES, *_OTHERS) if (folder / name).is_file()]
    return [*own, *sorted(folder.glob("*.tiktoken")), *sorted((folder / TEMPLATES).glob("*.jinja"))]


def vocabulary_file(folder: Path) -> Path | None:
    """The file that holds the folder's tokens; None where there is none."""
    named = (folder / name for name in _VOCABULARIES)
    return next((path for path in (*named, *sorted(folder.glob("*.tiktoken"))) if path.is_file()), None)


def why_unreadable(folder: Path) -> InputError | None:
    """What keeps the folder's tokenizer from being read here, by its files alone; None where nothing is known to."""
    path = vocabulary_file(folder)
    if path is None:
        return InputError(
            "no such file",
            where=folder / "tokenizer.json",
            remedy="copy the tokenizer of the original model beside the weights",
        )
    if path.suffix == ".tiktoken" or _holds_ranks(path):
        return None if _is_installed("tiktoken") and path.suffix == ".model" else _unread_ranks(path)
    return _unread_pieces(path) if path.suffix == ".model" else None


def _unread_ranks(path: Path) -> InputError:
    return InputError("a tiktoken file, which says nothing of special tokens or how text is cut", where=path, remedy=_COPY_JSON)


def _unread_pieces(path: Path) -> InputError | None:
    from sentencepiece import SentencePieceProcessor

    try:
        SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError, ValueError, TypeError):
        return InputError("neither a SentencePiece model nor a tiktoken file", where=path, remedy="download or copy it again")
    if _is_installed("google.protobuf"):
        return None
    return InputError(
        "a SentencePiece model, which transformers reads with the package protobuf",
        where=path,
        remedy=f"`pip install protobuf`, or {_COPY_JSON}",
    )


def _holds_ranks(path: Path) -> bool:
    """Whether a `.model` file is tiktoken's: lines of a token in base64 and its rank."""
    if path.suffix != ".model":
        return False
    with path.open("rb") as file:
        parts = file.readline(4096).split()
    try:
        return len(parts) == 2 and parts[1].isdigit() and bool(base64.b64decode(parts[0], validate=True))
    except binascii.Error:
        return False


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
