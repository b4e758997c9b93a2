"""`tokenizer: union`: the base's tokenizer with every token that another model has besides, as in mergekit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.fixed_merge.reading.child_settings import UNION
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.plan.slices import references
from evomerge_core.sources.confinement import absolute_reference
from evomerge_core.sources.source import Source, open_sources
from evomerge_core.sources.tensors.names import EMBEDDING, HEAD
from evomerge_core.sources.tokens import special_tokens, vocabulary, why_without_tokens

_COPIED = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def with_union(config: MergeConfig, folder: Path, *, relative_to: Path, allow_pickle: bool = False) -> MergeConfig:
    """The merge with the union as the tokenizer of `BASE+FOLDER`: an adapter, written there, of new rows alone.

    The base's tokens keep their ids, the others' follow in the order of the models and of their ids there. A model that lacks
    a token takes the base's row, or without a base that has it, the mean of the rows of the models that have it. Without new
    tokens it is the base's own tokenizer. Any other merge is returned as it is.
    """
    if config.tokenizer != UNION:
        return config
    named = references(config)
    absolute = {reference: absolute_reference(reference, relative_to) for reference in named}
    opened = open_sources(absolute.values(), relative_to=relative_to, allow_pickle=allow_pickle)
    sources = [opened[absolute[reference]] for reference in named]
    tokens = [_tokens(source) for source in sources]
    united = _united(tokens)
    if len(united) == len(tokens[0]):
        return replace(config, tokenizer=named[0])
    if sources[0].adapter is not None:
        raise InputError("is a model with an adapter, whose tokens can't grow", where=named[0], remedy="use another tokenizer")
    _write_tokenizer(folder, sources, united)
    _write_rows(folder, sources, tokens, united, keep_base=config.base is not None)
    return replace(config, tokenizer=f"{absolute[named[0]]}+{folder}")


def _tokens(source: Source) -> Mapping[str, int]:
    """The tokens that have a row."""
    tokens = vocabulary(source)
    if tokens is None:
        raise why_without_tokens(source)
    rows = next((source.shape(name)[0] for name in source.names if EMBEDDING.search(name)), 0)
    return {token: row for token, row in tokens.items() if 0 <= row < rows}


def _united(tokens: Sequence[Mapping[str, int]]) -> dict[str, int]:
    united = dict(tokens[0])
    following = max(united.values(), default=-1) + 1
    for other in tokens[1:]:
        for token in sorted(other, key=other.__getitem__):
            if token not in united:
                united[token] = following
                following += 1
    return united


def _write_tokenizer(folder: Path, sources: Sequence[Source], united: Mapping[str, int]) -> None:
    base = sources[0].tokenizer_folder
    path = base / "tokenizer.json"
    if not path.is_file():
        raise InputError("no such file, which a union of tokenizers needs", where=path, remedy="use 'tokenizer_source: base'")
    content = read_json(path)
    known = vocabulary(sources[0]) or {}
    special = {token for source in sources for token in special_tokens(source)}
    added = [_added_token(token, row, token in special) for token, row in united.items() if token not in known]
    content["added_tokens"] = [*(content.get("added_tokens") or ()), *added]
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    for name in _COPIED:
        if (base / name).is_file():
            copyfile(base / name, folder / name)


def _added_token(token: str, row: int, special: bool) -> dict[str, Any]:
    whole = {"single_word": False, "lstrip": False, "rstrip": False}
    return {"id": row, "content": token, **whole, "normalized": not special, "special": special}


def _write_rows(
    folder: Path,
    sources: Sequence[Source],
    tokens: Sequence[Mapping[str, int]],
    united: Mapping[str, int],
    *,
    keep_base: bool,
) -> None:
    base = sources[0]
    ends = [name for name in base.names if EMBEDDING.search(name) or HEAD.search(name)]
    rows = {f"base_model.model.{name}": _rows(name, sources, tokens, united, keep_base) for name in ends}
    save_file(rows, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "target_modules": [],
        "modules_to_save": [name.rpartition(".")[0].rpartition(".")[2] for name in ends],
        "ensure_weight_tying": base.tied,
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _rows(
    name: str, sources: Sequence[Source], tokens: Sequence[Mapping[str, int]], united: Mapping[str, int], keep_base: bool
) -> Tensor:
    """One row per token of the union: what a model without the token takes."""
    stored = sources[0].read(name)
    total = torch.zeros((max(united.values()) + 1, *stored.shape[1:]), dtype=torch.float32)
    count = torch.zeros(len(total), dtype=torch.float32)
    for source, own in zip(sources, tokens, strict=True):
        # Of what the base has only the base counts, where there is one.
        counted = [token for token in own if source is sources[0] or not keep_base or token not in tokens[0]]
        places = torch.tensor([united[token] for token in counted], dtype=torch.int64)
        read = source.read(name) if name in source.names else stored
        total.index_add_(0, places, read[torch.tensor([own[token] for token in counted], dtype=torch.int64)].float())
        count.index_add_(0, places, torch.ones(len(counted)))
    divisor = count.clamp(min=1).reshape(-1, *([1] * (total.dim() - 1)))
    return (total / divisor).to(stored.dtype)
