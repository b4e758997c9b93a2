"""A fixed merge of either kind: of weights, or of a path through the layers of merges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as Folder

from torch import Tensor

from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.merge import layer_origins, model_files, write_merge
from evomerge_core.merging.open_aligned import open_aligned, open_in_vocabulary
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.merging.plan.slices import plan_slices, references
from evomerge_core.paths.path_merge import (
    PathMerge,
    fold_of,
    path_files,
    path_layers,
    path_references,
    plan_path,
    stream_path,
    write_path,
)
from evomerge_core.sources.source import Source

FixedMerge = MergeConfig | PathMerge


def fixed_references(fixed: FixedMerge) -> tuple[str, ...]:
    """Every model that the merge names, the one whose names the child has first, each once."""
    if isinstance(fixed, MergeConfig):
        return references(fixed)
    return tuple(dict.fromkeys([*path_references(fixed), *([fixed.tokenizer] if fixed.tokenizer else [])]))


def open_fixed(fixed: FixedMerge, *, relative_to: Folder, allow_pickle: bool = False) -> dict[str, Source]:
    """The merge's sources by reference, in the vocabulary of the child's tokenizer; paths and errors as `open_aligned`."""
    if isinstance(fixed, MergeConfig):
        return open_aligned(fixed, relative_to=relative_to, allow_pickle=allow_pickle)
    return open_in_vocabulary(fixed_references(fixed), fixed.tokenizer, relative_to=relative_to, allow_pickle=allow_pickle)


def stream_fixed(fixed: FixedMerge, sources: Mapping[str, Source], engine: MergeEngine) -> Iterator[tuple[str, Tensor]]:
    """The child's tensors by name, merged one at a time; InputError when the merge can't be planned."""
    if isinstance(fixed, MergeConfig):
        yield from engine.stream(make_plan(fixed, sources))
    else:
        yield from stream_path(plan_path(fixed, sources), engine, fold_of(fixed, sources))


def fixed_layers(fixed: FixedMerge, sources: Mapping[str, Source]) -> tuple[int, ...]:
    """For each of the child's layers, which layer of a source's config describes it."""
    if isinstance(fixed, MergeConfig):
        return tuple(layer for _, layer in layer_origins(plan_slices(fixed, sources), sources))
    return tuple(layer for _, layer in path_layers(fixed, sources))


def fixed_shapes(fixed: FixedMerge, sources: Mapping[str, Source]) -> Mapping[str, tuple[int, ...]]:
    """The shapes of the child's tensors by name."""
    if isinstance(fixed, MergeConfig):
        return model_files(fixed, make_plan(fixed, sources), sources, "").shapes
    return path_files(fixed, plan_path(fixed, sources), sources, "", "").shapes


def write_fixed(folder: Folder, fixed: FixedMerge, sources: Mapping[str, Source], recipe: str, recipe_file: str) -> None:
    """Merges and writes the child as a model folder, with `recipe` as its file `recipe_file`.

    Raises InputError when the merge can't be planned or the folder can't be written; nothing is left behind then.
    """
    if isinstance(fixed, MergeConfig):
        write_merge(folder, fixed, sources, recipe)
    else:
        write_path(folder, fixed, sources, recipe, recipe_file)
