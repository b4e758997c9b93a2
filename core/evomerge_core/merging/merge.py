"""One fixed merge, from its configuration to a model folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from evomerge_core.errors import InputError
from evomerge_core.merging.config import DType, MergeConfig
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.model_folder.card import model_card
from evomerge_core.merging.model_folder.chat_template import chosen_template
from evomerge_core.merging.model_folder.child_config import LayerOrigin, child_config
from evomerge_core.merging.model_folder.folder import ModelFiles, write_model
from evomerge_core.merging.model_folder.vocabulary_settings import generation_config, with_vocabulary
from evomerge_core.merging.open_aligned import tokenizer_reference
from evomerge_core.merging.plan.eyes import eyes_of, require_places
from evomerge_core.merging.plan.plan import TensorMerge, make_plan
from evomerge_core.merging.plan.slices import PlannedSlice, plan_slices, references
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import is_head
from evomerge_core.sources.vocabulary.child_vocabulary import child_vocabulary

DTYPES: Mapping[DType, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def write_merge(
    folder: Path,
    config: MergeConfig,
    sources: Mapping[str, Source],
    mergekit_config: str,
) -> None:
    """Merges and writes the child with its tokenizer, template, card and `mergekit_config` (the merge as YAML).

    `sources` holds an open source for each of the merge's references, its vocabulary aligned to the base's. Raises InputError
    when the merge can't be planned or the folder can't be written; nothing is left behind then.
    """
    plan = make_plan(config, sources)
    engine = make_engine(config, sources)
    write_model(folder, engine.stream(plan), model_files(config, plan, sources, mergekit_config))


def make_engine(config: MergeConfig, sources: Mapping[str, Source]) -> MergeEngine:
    """The engine that merges with the configuration's dtypes and seed."""
    return MergeEngine(sources, DTYPES[config.dtype], DTYPES[config.out_dtype], config.seed)


def model_files(
    config: MergeConfig, plan: tuple[TensorMerge, ...], sources: Mapping[str, Source], mergekit_config: str
) -> ModelFiles:
    """All that a child's folder holds besides the numbers."""
    merged = {reference: sources[reference] for reference in references(config)}
    slices = plan_slices(config, sources)
    origins = layer_origins(slices, sources)
    eyes = eyes_of(references(config), sources)
    template = sources[eyes or slices[0].template.model]
    tokenizer = eyes or tokenizer_reference(config)
    if eyes is not None:
        require_places(template, [layer for _, layer in origins])
    if tokenizer not in sources:
        raise InputError(
            f"{tokenizer!r} is neither base nor one of the models", where="tokenizer_source", remedy="give one of them"
        )
    chat_template = chosen_template(config.chat_template, merged)
    speaks = child_vocabulary(sources[tokenizer], merged.values(), chat_template)
    tied = is_tied(merge.name for merge in plan)
    stated = child_config(template, origins, tied, config.out_dtype)
    return ModelFiles(
        shapes={merge.name: sources[merge.inputs[0].model].shape(merge.inputs[0].name) for merge in plan},
        dtype=DTYPES[config.out_dtype],
        config=with_vocabulary(stated, template, speaks),
        model_folder=template.folder,
        tokenizer_folder=speaks.folder,
        card=model_card(config.method, list(merged.values()), mergekit_config),
        recipe=mergekit_config,
        chat_template=chat_template,
        generation=generation_config(template, speaks),
        body=template.checkpoint.body,
    )


def layer_origins(slices: Sequence[PlannedSlice], sources: Mapping[str, Source]) -> list[LayerOrigin]:
    """For each of the child's layers the model whose config describes it: its slice's base."""
    members = [part.template for part in slices]
    return [(sources[member.model], layer) for member in members for layer in range(member.start, member.stop)]


def is_tied(names: Iterable[str]) -> bool:
    """Whether a child of these tensors has no head of its own."""
    return not any(is_head(name) for name in names)
