"""Opens the models of a fixed merge, checks that they fit together, and aligns their vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.plan.slices import references
from evomerge_core.sources.checks.compatibility import require
from evomerge_core.sources.confinement import absolute_reference
from evomerge_core.sources.source import Source, open_sources
from evomerge_core.sources.tokens import align_all


def open_aligned(config: MergeConfig, *, relative_to: Path, allow_pickle: bool = False) -> dict[str, Source]:
    """The merge's sources by reference, with embedding and head rows in the order of the child's tokenizer.

    Relative paths start at `relative_to` and stay inside it. Raises InputError for what can't be opened or merged.
    """
    named = references(config)
    tokenizer = named[0] if config.tokenizer in ("base", "") else config.tokenizer
    return open_in_vocabulary(named, tokenizer, relative_to=relative_to, allow_pickle=allow_pickle)


def open_in_vocabulary(
    named: Sequence[str], tokenizer: str, *, relative_to: Path, allow_pickle: bool = False
) -> dict[str, Source]:
    """Opens the named models, of which `tokenizer` is one, in that one's vocabulary; else as `open_aligned`."""
    absolute = {reference: absolute_reference(reference, relative_to) for reference in named}
    opened = open_sources(absolute.values(), relative_to=relative_to, allow_pickle=allow_pickle)
    sources = {reference: replace(opened[absolute[reference]], reference=reference) for reference in named}
    require(sources[named[0]], list(sources.values())[1:], tokenizer=sources[tokenizer])
    return align_all(sources[tokenizer], sources)
