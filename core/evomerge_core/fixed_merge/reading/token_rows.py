"""`tokenizer: {tokens: ..., pad_to_multiple_of: ...}`: where rows of single tokens come from, and how many rows there are."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from evomerge_core.files.yaml_file import Location, YamlFile
from evomerge_core.fixed_merge.reading.typed_values import require_mapping, text_at
from evomerge_core.merging.config import TokenRow

_TOKENS: Location = ("tokenizer", "tokens")
_PADDING: Location = ("tokenizer", "pad_to_multiple_of")
# Libraries ask for 8 to 512; more only wastes rows.
_MOST_PADDING = 65536
_FORM = "must be a model, {kind: model_token, model: MODEL, token: TOKEN} or {kind: zero}"


def token_rows_in(file: YamlFile, models: Container[str]) -> dict[str, TokenRow]:
    """The tokens whose rows a file names, which are `models`' or zeros; InputError in one line for what is not right."""
    if file.value(_TOKENS) is None:
        return {}
    require_mapping(file, _TOKENS)
    return {token: _row(file, (*_TOKENS, token), models) for token in file.value(_TOKENS)}


def written_token_row(row: TokenRow) -> dict[str, Any]:
    """What `token_rows_in` reads back."""
    source: Any = row.model
    if row.model is None:
        source = {"kind": "zero"}
    elif row.token is not None:
        of = "token" if isinstance(row.token, str) else "token_id"
        source = {"kind": "model_token", "model": row.model, of: row.token}
    return {"source": source, **({"force": True} if row.forced else {})}


def padding_in(file: YamlFile) -> int | None:
    """The number whose multiple the number of rows shall be; None where a file names none."""
    value = file.value(_PADDING)
    if value is None or (type(value) is int and 1 <= value <= _MOST_PADDING):
        return value
    raise file.key_error(_PADDING, f"must be a whole number from 1 to {_MOST_PADDING}, such as 64, not {value!r}")


def token_model_places(file: YamlFile) -> Iterator[Location]:
    """Every place under `tokens` where a model is named."""
    tokens = file.value(_TOKENS)
    for token in tokens if isinstance(tokens, Mapping) else ():
        place = (*_TOKENS, token, "source")
        source = file.value(place)
        kind = source.get("kind") if isinstance(source, Mapping) else None
        if kind is None:
            yield place
        elif kind == "model_token":
            yield (*place, "model")


def _row(file: YamlFile, place: Location, models: Container[str]) -> TokenRow:
    require_mapping(file, place)
    file.require_keys(place, ("source", "force"))
    forced = file.value((*place, "force"))
    if forced is not None and not isinstance(forced, bool):
        raise file.key_error((*place, "force"), f"must be true or false, not {forced!r}")
    source = file.value((*place, "source"))
    if isinstance(source, str) and source:
        return TokenRow(_merged(file, (*place, "source"), models), forced=bool(forced))
    if not isinstance(source, Mapping):
        raise file.key_error((*place, "source"), _FORM)
    kind = source.get("kind")
    if kind == "zero":
        file.require_keys((*place, "source"), ("kind",))
        return TokenRow(None, forced=bool(forced))
    if kind != "model_token":
        raise file.key_error((*place, "source", "kind"), f"is {kind!r}; give model_token or zero")
    return _of_other_token(file, (*place, "source"), models, bool(forced))


def _of_other_token(file: YamlFile, place: Location, models: Container[str], forced: bool) -> TokenRow:
    file.require_keys(place, ("kind", "model", "token", "token_id"))
    token, row = text_at(file, (*place, "token")), file.value((*place, "token_id"))
    if (token is None) == (row is None):
        raise file.key_error(place, "needs one of 'token' and 'token_id'")
    if row is not None and (type(row) is not int or row < 0):
        raise file.key_error((*place, "token_id"), f"must be the number of a row, from 0, not {row!r}")
    return TokenRow(_merged(file, (*place, "model"), models), token if row is None else row, forced=forced)


def _merged(file: YamlFile, place: Location, models: Container[str]) -> str:
    model = text_at(file, place)
    if model not in models:
        raise file.key_error(place, f"is {model!r}, which isn't one of the merge's models", "name one of them")
    assert model is not None
    return model
