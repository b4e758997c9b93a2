"""The height of embedding and head, and whether it is what config.json says."""

from __future__ import annotations

from collections.abc import Iterator

from evomerge_core.errors import InputError
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import EMBEDDING, HEAD

# Rows that a family's embedding has beyond `vocab_size`: Mllama's are for pictures, and its head lacks them.
_EXTRA = {"mllama": 8, "mllama_text_model": 8}


def embedding_rows(source: Source) -> int | None:
    """The rows of the embedding and of the head; None where no embedding is known by its name.

    Raises InputError where the two differ, as in an adapter that was saved with one of them alone.
    """
    embedding = _embedding(source)
    if embedding is None:
        return None
    rows = source.shape(embedding)[0] - _extra(source)
    for name in source.names:
        if HEAD.search(name) and source.shape(name)[:1] != (rows,):
            raise InputError(
                f"{name} is {list(source.shape(name))}, but {embedding} has {rows + _extra(source)} rows",
                where=source.reference,
                remedy="save it again with both resized to the tokenizer",
            )
    return rows


def row_problems(source: Source) -> Iterator[InputError]:
    """An error where the stored embedding, the head and `vocab_size` disagree: transformers refuses to load such a folder."""
    try:
        embedding_rows(source)
    except InputError as error:
        yield error
    embedding, stated = _embedding(source), settings(source).get("vocab_size")
    if embedding is None or type(stated) is not int:
        return
    rows = source.checkpoint.facts(embedding).shape[0]
    if rows != stated + _extra(source):
        problem = f"vocab_size is {stated}, but {embedding} has {rows} rows"
        yield InputError(problem, where=source.folder / "config.json", remedy=f"set it to {rows - _extra(source)}")


def _embedding(source: Source) -> str | None:
    return next((name for name in source.names if EMBEDDING.search(name) and len(source.shape(name)) == 2), None)


def _extra(source: Source) -> int:
    return _EXTRA.get(str(source.config.get("model_type")), 0)
