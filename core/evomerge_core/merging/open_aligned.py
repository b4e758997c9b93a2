"""Opens the models of a fixed merge, checks that they fit together, and aligns their vocabularies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.plan.eyes import eyes_of
from evomerge_core.merging.plan.slices import references
from evomerge_core.sources.checks.compatibility import require
from evomerge_core.sources.confinement import absolute_reference
from evomerge_core.sources.source import Source, open_sources
from evomerge_core.sources.tokens import align_all
from evomerge_core.sources.vocabulary.own_head import with_heads_as


def open_aligned(config: MergeConfig, *, relative_to: Path, allow_pickle: bool = False) -> dict[str, Source]:
    """The merge's sources by reference, with embedding and head rows in the order of the child's tokenizer.

    The model that gives the tokenizer need not be merged; then it must fit the others all the same. Relative paths start at
    `relative_to` and stay inside it. Raises InputError for what can't be opened or merged.
    """
    is_chosen = config.tokenizer_named or config.tokenizer != "base"
    chosen = tokenizer_reference(config) if is_chosen else None
    return open_in_vocabulary(
        references(config),
        chosen,
        relative_to=relative_to,
        allow_pickle=allow_pickle,
        forced=frozenset(token for token, row in config.tokens.items() if row.forced),
        padded=config.pad_to_multiple_of is not None,
    )


def tokenizer_reference(config: MergeConfig) -> str:
    """The model that gives the child its tokenizer."""
    return references(config)[0] if config.tokenizer == "base" else config.tokenizer


def open_in_vocabulary(
    named: Sequence[str],
    chosen: str | None,
    *,
    relative_to: Path,
    allow_pickle: bool = False,
    forced: Collection[str] = (),
    padded: bool = False,
) -> dict[str, Source]:
    """Opens the named models in the vocabulary of `chosen`; None: the first's, which must begin and end texts as all others do.

    `forced` and `padded` as in `align`, else as `open_aligned`.
    """
    every = dict.fromkeys((*named, *(() if chosen is None else (chosen,))))
    absolute = {reference: absolute_reference(reference, relative_to) for reference in every}
    opened = open_sources(absolute.values(), relative_to=relative_to, allow_pickle=allow_pickle)
    sources = {reference: replace(opened[absolute[reference]], reference=reference) for reference in every}
    eyes = eyes_of(named, sources)
    if eyes is not None and chosen not in (None, eyes):
        raise foreign_tokens(eyes)
    chosen = eyes or chosen
    giver = None if chosen is None else sources[chosen]
    require(sources[named[0]], list(sources.values())[1:], tokenizer=giver)
    if eyes is not None:
        sources = with_heads_as(sources[eyes], sources)
    return align_all(sources[chosen or named[0]], sources, forced=forced, padded=padded)


def foreign_tokens(eyes: str) -> InputError:
    """The error for a child that sees and is to have other tokens than the model that it sees with."""
    return InputError(
        f"the child sees with {eyes}, and no other tokenizer than its own has the picture's tokens",
        where="tokenizer_source",
        remedy=f"write {eyes}, or leave it out",
    )
