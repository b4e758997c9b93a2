"""Which tokens begin and end a text and fill a batch, as token strings, so that models with other rows can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.source import Source
from evomerge_core.sources.tokens import vocabulary

KINDS = ("bos", "eos", "pad")
REMEDY = "choose a source with the same special tokens, or take the child's tokenizer from this one"


def special_token_differences(tokenizer: Source, source: Source) -> Iterator[InputError]:
    """An error for each special token that differs between the model that gives the child its tokenizer and a source."""
    # Strings only compare where both models have them.
    by_string = vocabulary(tokenizer) is not None and vocabulary(source) is not None
    by_id = partial(tokens_of_model, by_string=by_string)
    for key, read in (("config.json: {}_token_id", by_id), ("tokenizer_config.json: {}_token", tokens_of_tokenizer)):
        ours, theirs = _by_kind(tokenizer, read), _by_kind(source, read)
        for kind in KINDS:
            if ours[kind] and theirs[kind] and not ours[kind] & theirs[kind]:
                own, wanted = _spell(theirs[kind]), _spell(ours[kind])
                problem = f"{key.format(kind)} is {own}, but {wanted} in {tokenizer.reference}"
                yield InputError(problem, where=source.reference, remedy=REMEDY)


def tokens_of_model(source: Source, kind: str, *, by_string: bool = True) -> frozenset[str]:
    """The tokens that config.json and, for `eos`, generation_config.json name by id.

    `#7` for an id without a string, and for every id when `by_string` is False.
    """
    key = f"{kind}_token_id"
    ids = _ids(source.config.get(key))
    text = source.config.get("text_config")
    if not ids and isinstance(text, Mapping):
        ids = _ids(text.get(key))
    generation = source.folder / "generation_config.json"
    # A generation config may stop at more tokens than the model's; it never changes what begins a text.
    if kind == "eos" and generation.is_file():
        ids |= _ids(read_json(generation).get(key))
    if not ids:
        return frozenset()
    strings = {row: token for token, row in (vocabulary(source) or {}).items()} if by_string else {}
    return frozenset(strings.get(row, f"#{row}") for row in ids)


def tokens_of_tokenizer(source: Source, kind: str) -> frozenset[str]:
    """The token that tokenizer_config.json (older: special_tokens_map.json) names, empty when it names none."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        path = source.tokenizer_folder / name
        token = read_json(path).get(f"{kind}_token") if path.is_file() else None
        if isinstance(token, Mapping):
            token = token.get("content")
        if isinstance(token, str):
            return frozenset({token})
    return frozenset()


def _ids(value: Any) -> set[int]:
    values = value if isinstance(value, list) else [value]
    return {row for row in values if isinstance(row, int)}


def _by_kind(source: Source, read: Callable[[Source, str], frozenset[str]]) -> dict[str, frozenset[str]]:
    tokens = {kind: read(source, kind) for kind in KINDS}
    # Padding with the end token, or another that the model has anyway, teaches no token of its own.
    return tokens | {"pad": tokens["pad"] - tokens["bos"] - tokens["eos"] - read(source, "unk")}


def _spell(tokens: frozenset[str]) -> str:
    return " or ".join(repr(token) for token in sorted(tokens))
