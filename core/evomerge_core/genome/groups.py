"""Groups of tensors that share their numbers in a genome.

A group is a band of consecutive layers, or within a band the tensors whose name holds a text. Tensors outside the layers
(embeddings, final norm, head) belong to the first band, since a gradient in a merge configuration gives them the first
layer's value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from evomerge_core.errors import InputError
from evomerge_core.genome.spec import Groups
from evomerge_core.merging.plan.layers import find_layers

# A search of many more numbers needs more candidates than a small budget has.
_MOST_NUMBERS = 20
# Families name these blocks differently; the dot keeps norms such as `post_attention_layernorm` out.
_ATTENTION = ("attn.", "attention.")
_MLP = ("mlp.", "block_sparse_moe.", "feed_forward.", "ffn.")


@dataclass(frozen=True)
class Part:
    """The tensors whose name holds `filter` and no earlier part's filter; None: all that are left."""

    name: str
    filter: str | None


@dataclass(frozen=True)
class Grouping:
    """All groups: every part in every band, part by part.

    `bands` are layers [start, end) in order, without gaps; layer i's tensors have names that begin with `prefix` + i.
    """

    parts: tuple[Part, ...]
    bands: tuple[tuple[int, int], ...]
    prefix: str

    @property
    def names(self) -> tuple[str, ...]:
        """The groups' names: `whole`, `layers 0-7`, `attention`, `attention layers 0-7`."""
        bands = [_band_name(band) for band in self.bands] if len(self.bands) > 1 else [""]
        names = [" ".join(word for word in (part.name, band) if word) for part in self.parts for band in bands]
        return tuple(name or "whole" for name in names)

    def index(self, tensor: str) -> int:
        """The group that a tensor belongs to."""
        layer = int(tensor.removeprefix(self.prefix).split(".")[0]) if self._in_layers(tensor) else 0
        part = next(index for index, part in enumerate(self.parts) if part.filter is None or part.filter in tensor)
        band = next(index for index, (_, end) in enumerate(self.bands) if layer < end)
        return part * len(self.bands) + band

    def _in_layers(self, tensor: str) -> bool:
        return self.prefix != "" and tensor.startswith(self.prefix)


def make_grouping(groups: Groups, layers: int, tensors: Sequence[str], numbers: int) -> Grouping:
    """Groups for a model of `layers` layers with these tensors, each group having `numbers` numbers in the genome.

    InputError when a group would hold no tensor: its numbers would have no effect.
    """
    stack = find_layers(tensors, "base")
    if len(stack.layers) != layers:
        raise InputError(
            f"its config.json says {layers} layers, its weights have {len(stack.layers)}",
            where="base",
            remedy="copy the model again",
        )
    parts = _parts(groups, tensors)
    grouping = Grouping(parts, _bands(groups, layers, numbers * len(parts)), stack.prefix)
    filled = {grouping.index(tensor) for tensor in tensors}
    empty = [name for index, name in enumerate(grouping.names) if index not in filled]
    if empty:
        raise InputError(
            f"the model has no tensors for the group '{empty[0]}'", where="search_space.groups", remedy="choose fewer groups"
        )
    return grouping


def _parts(groups: Groups, tensors: Sequence[str]) -> tuple[Part, ...]:
    named = [Part(text, text) for text in groups.filters]
    if groups.parts:
        named = [Part("attention", _first_used(_ATTENTION, tensors)), Part("MLP", _first_used(_MLP, tensors))]
    if not named:
        return (Part("", None),)
    left = [tensor for tensor in tensors if not any(part.filter in tensor for part in named if part.filter)]
    return (*named, Part("rest", None)) if left else tuple(named)


def _first_used(filters: Sequence[str], tensors: Sequence[str]) -> str:
    for text in filters:
        if any(text in tensor for tensor in tensors):
            return text
    raise InputError(
        f"no tensor's name contains {' or '.join(filters)}", where="search_space.groups", remedy="use groups: {filters: [...]}"
    )


def _bands(groups: Groups, layers: int, numbers: int) -> tuple[tuple[int, int], ...]:
    if groups.band_layers is not None:
        if layers % groups.band_layers:
            size = groups.band_layers
            raise InputError(
                f"{layers} layers can't be divided by {size}", where="search_space.groups.band_layers", remedy="use bands"
            )
        count = layers // groups.band_layers
    elif groups.bands == "auto":
        count = max(1, min(layers, _MOST_NUMBERS // numbers))
    else:
        count = groups.bands
    if count > layers:
        raise InputError(
            f"{count} bands but only {layers} layers", where="search_space.groups.bands", remedy=f"use {layers} or fewer"
        )
    edges = [math.ceil(index * layers / count) for index in range(count + 1)]
    return tuple(pairwise(edges))


def _band_name(band: tuple[int, int]) -> str:
    start, end = band
    return f"layer {start}" if end - start == 1 else f"layers {start}-{end - 1}"
