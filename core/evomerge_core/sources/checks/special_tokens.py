"""Whether models begin and end texts with the same tokens, compared as strings, so that other rows don't matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source
from evomerge_core.sources.tokens import vocabulary
from evomerge_core.sources.vocabulary.special_tokens import Kind, token_of_tokenizer, tokens_of_model

KINDS: tuple[Kind, ...] = ("bos", "eos", "pad")


def special_token_differences(base: Source, source: Source) -> Iterator[InputError]:
    """An error for each special token that differs between the base, whose tokenizer the child takes unasked, and a source."""
    # Strings only compare where both models have them.
    by_string = vocabulary(base) is not None and vocabulary(source) is not None
    by_id = partial(_of_model, by_string=by_string)
    for key, read in (("config.json: {}_token_id", by_id), ("tokenizer_config.json: {}_token", _named)):
        ours, theirs = _by_kind(base, read), _by_kind(source, read)
        for kind in KINDS:
            if ours[kind] and theirs[kind] and not ours[kind] & theirs[kind]:
                own, wanted = _spell(theirs[kind]), _spell(ours[kind])
                problem = f"{key.format(kind)} is {own}, but {wanted} in {base.reference}"
                remedy = (
                    f"choose whose tokenizer the child takes: write `tokenizer_source: {source.reference}`, "
                    f"or `tokenizer_source: {base.reference}`"
                )
                yield InputError(problem, where=source.reference, remedy=remedy)


def _of_model(source: Source, kind: Kind, *, by_string: bool) -> frozenset[str]:
    # The config of an adapter's model knows nothing of a tokenizer that the adapter brings.
    named = _named(source, kind) if by_string and source.tokenizer_folder != source.folder else frozenset()
    return named or tokens_of_model(source, kind, by_string=by_string)


def _named(source: Source, kind: Kind) -> frozenset[str]:
    token = token_of_tokenizer(source, kind)
    return frozenset() if token is None else frozenset({token})


def _by_kind(source: Source, read: Callable[[Source, Kind], frozenset[str]]) -> dict[Kind, frozenset[str]]:
    tokens = {kind: read(source, kind) for kind in KINDS}
    # Padding with the end token, or another that the model has anyway, teaches no token of its own.
    return tokens | {"pad": tokens["pad"] - tokens["bos"] - tokens["eos"] - read(source, "unk")}


def _spell(tokens: frozenset[str]) -> str:
    return " or ".join(repr(token) for token in sorted(tokens))
