"""What a child speaks with: whose tokenizer, how many rows, and the ids that begin a text, fill a batch and end a turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from evomerge_core.sources.source import Source
from evomerge_core.sources.tokens import special_tokens, vocabulary
from evomerge_core.sources.vocabulary.chat_template import template_of, turn_end
from evomerge_core.sources.vocabulary.rows import embedding_rows
from evomerge_core.sources.vocabulary.special_tokens import Kind, ids_of_model, token_of_tokenizer, tokens_of_model


@dataclass(frozen=True)
class ChildVocabulary:
    """`folder` holds the tokenizer; `rows` is the height of embedding and head (None: no embedding is known by its name).

    `ends` are all ids that end a turn, those of the tokenizer's own model first; `bos` and `pad` are ids or None. `own` is the
    reference of the model whose config.json and generation_config.json say the same already; None where no model's do.
    """

    folder: Path
    rows: int | None
    bos: int | None
    pad: int | None
    ends: tuple[int, ...]
    own: str | None


def child_vocabulary(giver: Source, sources: Iterable[Source], template: str | None = None) -> ChildVocabulary:
    """What a child of `sources` speaks with, whose tokenizer is `giver`'s; `template` (Jinja) replaces the giver's own.

    A child of models that end a turn in different ways may end it in each of them: ends are those of the giver, what its
    template writes after an answer, and the other models' where they are special tokens of the giver's too. (An id in a config
    is often wrong; stopping at an ordinary token would cut answers short.) Raises InputError where the giver's embedding and
    head differ in height.
    """
    rows = embedding_rows(giver)
    stated = _stated(giver, "eos", rows)
    special = special_tokens(giver)
    further = [special[token] for token in _further(giver, sources, template, special) if token in special]
    ends = tuple(dict.fromkeys((*stated, *further)))
    keeps = not _brings_its_own(giver) and set(ends) == set(stated) and not _beyond(giver, rows)
    return ChildVocabulary(
        folder=giver.tokenizer_folder,
        rows=rows,
        bos=next(iter(_stated(giver, "bos", rows)), None),
        pad=next(iter(_stated(giver, "pad", rows)), None),
        ends=ends,
        own=giver.reference if keeps else None,
    )


def _brings_its_own(giver: Source) -> bool:
    """Whether the tokenizer is an adapter's, which the model's own config knows nothing of."""
    return giver.tokenizer_folder != giver.folder


def _beyond(giver: Source, rows: int | None) -> bool:
    """Whether the giver's files name a token that an adapter has cut off."""
    kinds: tuple[Kind, ...] = ("bos", "eos", "pad")
    return rows is not None and any(row >= rows for kind in kinds for row in ids_of_model(giver, kind))


def _stated(giver: Source, kind: Kind, rows: int | None) -> tuple[int, ...]:
    """The ids that the giver's files state, in the order in which they count.

    The tokenizer's word counts before the config's, which is often a default that nobody set; but not for the ends of turns,
    of which the configs of chat models list more. An adapter's tokenizer always counts before its model's config, whose ids
    mean other rows.
    """
    named = (vocabulary(giver) or {}).get(token_of_tokenizer(giver, kind) or "")
    of_tokenizer = () if named is None else (named,)
    of_model = ids_of_model(giver, kind)
    if _brings_its_own(giver):
        ids = (*of_tokenizer, *_moved(giver, of_model))
    elif kind == "eos":
        ids = of_model or of_tokenizer
    else:
        ids = (*of_tokenizer, *of_model)
    return tuple(row for row in dict.fromkeys(ids) if row >= 0 and (rows is None or row < rows))


def _moved(giver: Source, ids: Iterable[int]) -> tuple[int, ...]:
    """Ids of the model's own tokenizer as ids of the tokenizer that its adapter brings."""
    before, now = vocabulary(replace(giver, adapter=None)) or {}, vocabulary(giver) or {}
    strings = {row: token for token, row in before.items()}
    return tuple(now[strings[row]] for row in ids if strings.get(row) in now)


def _further(giver: Source, sources: Iterable[Source], template: str | None, special: Iterable[str]) -> Iterator[str]:
    """Tokens that end a turn besides those that the giver's config states."""
    kinds: tuple[Kind, ...] = ("bos", "eos", "pad", "unk")
    named = {f"{kind}_token": token for kind in kinds if (token := token_of_tokenizer(giver, kind)) is not None}
    if "eos_token" in named:
        yield named["eos_token"]
    text = template_of(giver.tokenizer_folder) if template is None else template
    end = turn_end(text, special, named)
    if end is not None:
        yield end
    for source in sources:
        if source.reference != giver.reference:
            yield from sorted(tokens_of_model(source, "eos"))
            yield from filter(None, [token_of_tokenizer(source, "eos")])
