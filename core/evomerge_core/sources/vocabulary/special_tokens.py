"""Which tokens begin and end a text and fill a batch, by id and by string, as a model's files state them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from evomerge_core.files.json_file import read_json
from evomerge_core.sources.source import Source
from evomerge_core.sources.tokens import vocabulary

Kind = Literal["bos", "eos", "pad", "unk"]


def ids_of_model(source: Source, kind: Kind) -> tuple[int, ...]:
    """The ids that transformers' generate() takes: of generation_config.json, else of config.json."""
    return _of_generation(source, kind) or _of_config(source, kind)


def tokens_of_model(source: Source, kind: Kind, *, by_string: bool = True) -> frozenset[str]:
    """The tokens that config.json and, for `eos`, generation_config.json name by id.

    `#7` for an id without a string, and for every id when `by_string` is False.
    """
    # A generation config may stop at more tokens than the model's; it never changes what begins a text.
    ids = {*_of_config(source, kind), *(_of_generation(source, kind) if kind == "eos" else ())}
    if not ids:
        return frozenset()
    strings = {row: token for token, row in (vocabulary(source) or {}).items()} if by_string else {}
    return frozenset(strings.get(row, f"#{row}") for row in ids)


def token_of_tokenizer(source: Source, kind: Kind) -> str | None:
    """The token that tokenizer_config.json (older: special_tokens_map.json) names; None when it names none."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        path = source.tokenizer_folder / name
        token = read_json(path).get(f"{kind}_token") if path.is_file() else None
        if isinstance(token, Mapping):
            token = token.get("content")
        if isinstance(token, str):
            return token
    return None


def _of_config(source: Source, kind: Kind) -> tuple[int, ...]:
    key = f"{kind}_token_id"
    text = source.config.get("text_config")
    return _ids(source.config.get(key)) or (_ids(text.get(key)) if isinstance(text, Mapping) else ())


def _of_generation(source: Source, kind: Kind) -> tuple[int, ...]:
    path = source.folder / "generation_config.json"
    return _ids(read_json(path).get(f"{kind}_token_id")) if path.is_file() else ()


def _ids(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(row for row in values if type(row) is int)
