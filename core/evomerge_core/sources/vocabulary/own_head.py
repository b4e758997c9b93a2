"""A tied text model as one with a head of its own, for a merge with a model that has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.weight_file import with_names
from evomerge_core.sources.tensors.names import EMBEDDING

_HEAD = "lm_head.weight"
_Value = TypeVar("_Value")


def with_heads_as(eyes: Source, sources: Mapping[str, Source]) -> dict[str, Source]:
    """The models of a merge that sees with `eyes`, tied ones with a head of their own where that model has one."""
    alone = eyes.checkpoint.body is not None and not eyes.tied
    return {reference: with_own_head(source) if alone else source for reference, source in sources.items()}


def with_own_head(source: Source) -> Source:
    """The source with its embedding as a head, as the tied model computes it; an untied one unchanged."""
    if not source.tied:
        return source
    tensors = source.checkpoint.tensors
    embedding = next(name for name in tensors if EMBEDDING.search(name))
    head = with_names(tensors[embedding], {_HEAD: embedding})
    checkpoint = replace(source.checkpoint, tensors={**tensors, _HEAD: head})
    adapter = source.adapter
    if adapter is None:
        return replace(source, checkpoint=checkpoint)

    def doubled(changes: Mapping[str, _Value]) -> Mapping[str, _Value]:
        return {**changes, _HEAD: changes[embedding]} if embedding in changes else changes

    changed = replace(
        adapter, pairs=doubled(adapter.pairs), replaced=doubled(adapter.replaced), rows=doubled(adapter.rows), _factors_of={}
    )
    return replace(source, checkpoint=checkpoint, adapter=changed)
