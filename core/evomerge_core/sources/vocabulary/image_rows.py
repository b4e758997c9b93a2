"""Which rows of a vision-language model's embedding and head stand for pictures: they are no part of its language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evomerge_core.sources.source import Source
from evomerge_core.sources.tokens import special_tokens

# What config.json calls the ids of such tokens: `image_token_id`, `boi_token_index`, `vision_start_token_id`.
_KEYS = re.compile(r"^(image|video|vision|boi|eoi|image_(start|end|newline|break))(_\w+)?_token_(id|index)$")
# Tokens that processors write around a picture and its tiles, and no config.json names.
_WRITTEN = re.compile(r"^<(image|video|global-img|fake_token_around_image|row_\d+_col_\d+)>$")


def image_token(source: Source) -> int | None:
    """The id of the token in whose place a picture's features stand; None for a model without eyes."""
    keys = ("image_token_id", "image_token_index")
    return next((row for key in keys if type(row := source.config.get(key)) is int), None)


def image_rows(source: Source) -> tuple[int, ...]:
    """The rows, in their order; none for a model without eyes."""
    return () if source.checkpoint.body is None else tuple(sorted(set(_rows(source))))


def _rows(source: Source) -> Iterator[int]:
    for key, row in source.config.items():
        if _KEYS.match(key) and type(row) is int and row >= 0:
            yield row
    yield from (row for token, row in special_tokens(source).items() if _WRITTEN.match(token))
