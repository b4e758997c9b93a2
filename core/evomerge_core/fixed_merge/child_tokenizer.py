"""A child's own tokenizer, as in mergekit: a union, tokens whose rows the file names, a number of rows that divides evenly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.fixed_merge.reading.child_settings import UNION
from evomerge_core.merging.config import MergeConfig, TokenRow
from evomerge_core.merging.open_aligned import foreign_tokens, tokenizer_reference
from evomerge_core.merging.plan.eyes import eyes_of
from evomerge_core.merging.plan.slices import references
from evomerge_core.sources.confinement import absolute_reference
from evomerge_core.sources.source import Source, open_sources
from evomerge_core.sources.tensors.names import EMBEDDING, is_end
from evomerge_core.sources.tokens import special_tokens, vocabulary, why_without_tokens

_COPIED = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


@dataclass(frozen=True)
class _Speaker:
    """A model that is merged, and its tokens that have a row."""

    source: Source
    tokens: Mapping[str, int]


def with_child_tokenizer(config: MergeConfig, folder: Path, *, file: Path, allow_pickle: bool = False) -> MergeConfig:
    """The merge with its child's tokenizer as that of `GIVER+FOLDER`: an adapter, written there, of rows alone.

    The giver's tokens keep their ids, those of a union follow in the order of the models and of their ids there, and last the
    ones that only `config.tokens` names. A row of the adapter is what a model takes that lacks the token: the one that
    `config.tokens` names, else the base's, or without a base that has it, the mean of the rows of the models that have it.
    A merge that needs no tokenizer of its own is returned with the giver's. `file` says the merge: models' paths start at its
    folder. Raises InputError for models and tokens that aren't there.
    """
    union = config.tokenizer == UNION
    if not union and not config.tokens and config.pad_to_multiple_of is None:
        return config
    named = references(config)
    giver = named[0] if union else tokenizer_reference(config)
    absolute = {reference: absolute_reference(reference, file.parent) for reference in dict.fromkeys((*named, giver))}
    opened = open_sources(absolute.values(), relative_to=file.parent, allow_pickle=allow_pickle)
    speakers = {reference: _speaker(opened[absolute[reference]]) for reference in named}
    source = opened[absolute[giver]]
    own = _speaker(source).tokens
    united = _united([own, *(speaker.tokens for speaker in speakers.values() if union), dict.fromkeys(config.tokens, 0)])
    if union and len(united) == len(own) and not config.tokens and config.pad_to_multiple_of is None:
        return replace(config, tokenizer=giver)
    eyes = eyes_of(named, {reference: opened[absolute[reference]] for reference in named})
    if eyes is not None:
        raise foreign_tokens(eyes)
    if source.adapter is not None:
        raise InputError("is a model with an adapter, whose tokens can't grow", where=giver, remedy="use another tokenizer")
    _write_tokenizer(folder, source, [speaker.source for speaker in speakers.values()], united)
    _require_tokens(speakers, config.tokens, file)
    _write_rows(folder, source, speakers, united, config)
    return replace(config, tokenizer=f"{absolute[giver]}+{folder}")


def _speaker(source: Source) -> _Speaker:
    tokens = vocabulary(source)
    if tokens is None:
        raise why_without_tokens(source)
    rows = next((source.shape(name)[0] for name in source.names if EMBEDDING.search(name)), 0)
    return _Speaker(source, {token: row for token, row in tokens.items() if 0 <= row < rows})


def _united(tokens: Sequence[Mapping[str, int]]) -> dict[str, int]:
    united = dict(tokens[0])
    following = max(united.values(), default=-1) + 1
    for other in tokens[1:]:
        for token in sorted(other, key=other.__getitem__):
            if token not in united:
                united[token] = following
                following += 1
    return united


def _write_tokenizer(folder: Path, giver: Source, models: Sequence[Source], united: Mapping[str, int]) -> None:
    place = giver.tokenizer_folder
    path = place / "tokenizer.json"
    if not path.is_file():
        raise InputError("no such file, which a child's own tokenizer needs", where=path, remedy="use 'tokenizer_source: base'")
    content = read_json(path)
    known = vocabulary(giver) or {}
    special = {token for source in (giver, *models) for token in special_tokens(source)}
    added = [_added_token(token, row, token in special) for token, row in united.items() if token not in known]
    content["added_tokens"] = [*(content.get("added_tokens") or ()), *added]
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    for name in _COPIED:
        if (place / name).is_file():
            copyfile(place / name, folder / name)


def _added_token(token: str, row: int, special: bool) -> dict[str, Any]:
    whole = {"single_word": False, "lstrip": False, "rstrip": False}
    return {"id": row, "content": token, **whole, "normalized": not special, "special": special}


def _write_rows(
    folder: Path, giver: Source, speakers: Mapping[str, _Speaker], united: Mapping[str, int], config: MergeConfig
) -> None:
    ends = list(filter(is_end, giver.names))
    rows = {f"base_model.model.{name}": _rows(name, giver, speakers, united, config) for name in ends}
    save_file(rows, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "target_modules": [],
        "modules_to_save": [name.rpartition(".")[0].rpartition(".")[2] for name in ends],
        "ensure_weight_tying": giver.tied,
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _rows(name: str, giver: Source, speakers: Mapping[str, _Speaker], united: Mapping[str, int], config: MergeConfig) -> Tensor:
    """One row per token: what a model without the token takes; zeros for padding, which is each model's own."""
    stored = giver.read(name)
    wide = stored.shape[1:]
    height, multiple = max(united.values()) + 1, config.pad_to_multiple_of or 1
    total = torch.zeros((-(-height // multiple) * multiple, *wide), dtype=torch.float32)
    count = torch.zeros(len(total), dtype=torch.float32)
    first, *_ = speakers.values()
    for speaker in speakers.values():
        # Of what the base has only the base counts, where there is one.
        alone = first.tokens if config.base is not None and speaker is not first else {}
        counted = [token for token in speaker.tokens if token in united and token not in alone]
        places = torch.tensor([united[token] for token in counted], dtype=torch.int64)
        read = speaker.source.read(name) if name in speaker.source.names else stored
        total.index_add_(0, places, read[torch.tensor([speaker.tokens[token] for token in counted], dtype=torch.int64)].float())
        count.index_add_(0, places, torch.ones(len(counted)))
    rows = total / count.clamp(min=1).reshape(-1, *([1] * len(wide)))
    for token, row in config.tokens.items():
        rows[united[token]] = _named_row(name, token, row, speakers)
    return rows.to(stored.dtype)


def _named_row(name: str, token: str, row: TokenRow, speakers: Mapping[str, _Speaker]) -> Tensor:
    if row.model is None:
        return torch.zeros(())
    speaker = speakers[row.model]
    # A tied model's head is its embedding.
    stored = next(one for one in (name, *speaker.source.names) if one in speaker.source.names and is_end(one))
    return speaker.source.read(stored)[_row_of(token, row, speaker)].float()


def _row_of(token: str, row: TokenRow, speaker: _Speaker) -> int | None:
    wanted = token if row.token is None else row.token
    return speaker.tokens.get(wanted) if isinstance(wanted, str) else wanted


def _require_tokens(speakers: Mapping[str, _Speaker], tokens: Mapping[str, TokenRow], file: Path) -> None:
    for token, row in tokens.items():
        speaker = None if row.model is None else speakers[row.model]
        if speaker is None:
            continue
        rows = next(speaker.source.shape(name)[0] for name in speaker.source.names if EMBEDDING.search(name))
        own = _row_of(token, row, speaker)
        if own is None or own >= rows:
            problem = f"{row.model} has no token {token if row.token is None else row.token!r}"
            place = f"{file}: tokenizer.tokens.{token}.source"
            raise InputError(problem, where=place, remedy=f"name one of its tokens, or a row below {rows}")
