"""How a vision-language model's prompts show where a picture is."""

from __future__ import annotations

from evomerge_core.errors import InputError
from evomerge_core.limited.chat_template import PictureMark
from evomerge_core.sources.source import Source
from evomerge_core.sources.tokens import vocabulary
from evomerge_core.sources.vocabulary.image_rows import image_token


def picture_mark(source: Source) -> PictureMark | None:
    """The mark of a model's pictures; None for a text model. InputError where its tokenizer has no token for them."""
    if source.checkpoint.body is None:
        return None
    kind = str(source.config.get("model_type"))
    row = source.config.get("boi_token_index") if kind.startswith("gemma3") else image_token(source)
    token = _token(source, row)
    if token is None:
        where = source.folder / "config.json"
        raise InputError("image_token_id names no token", where=where, remedy="copy the tokenizer again")
    if kind.startswith("llava"):
        return PictureMark(token, f"{token}\n")
    around = (_token(source, source.config.get(f"vision_{end}_token_id")) or "" for end in ("start", "end"))
    return PictureMark(token, token.join(around))


def _token(source: Source, row: object) -> str | None:
    return next((token for token, own in (vocabulary(source) or {}).items() if type(row) is int and own == row), None)
