"""A model or adapter that was found, with the facts that help to choose one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.adapters.settings import read_adapter_config
from evomerge_core.sources.checkpoint import open_checkpoint
from evomerge_core.sources.stored.model_card import base_models, front_matter, licence_in
from evomerge_core.sources.stored.weight_file import WeightFile, open_weights

Kind = Literal["model", "adapter"]
Where = Literal["folder", "cache", "hub"]


@dataclass(frozen=True)
class FoundModel:
    """`reference` is what a recipe calls it: a folder's path or a hub id. None where it isn't stated.

    `made_from` are the hub ids that it says it was made from; an adapter's first is the model it belongs to. `sees` is whether
    it is a vision-language model. `problem` is why it can't be a source at all, "" when nothing is in the way.
    """

    reference: str
    kind: Kind
    where: Where
    architecture: str | None = None
    parameters: int | None = None
    bytes: int | None = None
    licence: str | None = None
    made_from: tuple[str, ...] = ()
    sees: bool = False
    downloads: int | None = None
    problem: str = ""


def is_model_folder(folder: Path) -> bool:
    """Whether a folder holds a checkpoint or an adapter, whole or not."""
    return (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file()


def describe(folder: Path, reference: str, where: Where) -> FoundModel:
    """The facts of a model's or adapter's folder, read from its small files and the headers of its weights."""
    try:
        return read_found(folder, reference, where)
    except InputError as error:
        return broken(folder, reference, where, error)


def read_found(folder: Path, reference: str, where: Where) -> FoundModel:
    """The same; InputError for a folder that can't be a source, `MissingFile` where a file of it is missing."""
    card = front_matter(folder / "README.md")
    read = _model if _is_model(folder) else _adapter
    return read(folder, reference, where, card)


def broken(folder: Path, reference: str, where: Where, error: InputError) -> FoundModel:
    """What can be said about a folder that can't be read as a whole because of `error`."""
    kind: Kind = "model" if _is_model(folder) else "adapter"
    licence = licence_in(front_matter(folder / "README.md"))
    return FoundModel(reference, kind, where, architecture_of(_config_or_nothing(folder)), licence=licence, problem=str(error))


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def architecture_of(config: Mapping[str, Any]) -> str | None:
    """The architecture's name in config.json, else the model type."""
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else config.get("model_type")
    return first if isinstance(first, str) else None


def _config_or_nothing(folder: Path) -> Mapping[str, Any]:
    try:
        return read_json(folder / "config.json")
    except InputError:
        return {}


def _model(folder: Path, reference: str, where: Where, card: Mapping[str, Any]) -> FoundModel:
    checkpoint = open_checkpoint(folder)
    body = checkpoint.body
    files = {file.path: file for file in (checkpoint.tensors.values() if body is None else body.files)}
    return FoundModel(
        reference,
        "model",
        where,
        architecture=architecture_of(checkpoint.config),
        parameters=sum(math.prod(checkpoint.facts(name).shape) for name in checkpoint.tensors)
        + (0 if body is None else body.parameters(tuple(body.tensors))),
        bytes=sum(path.stat().st_size for path in files),
        licence=licence_in(card),
        made_from=base_models(card),
        sees=body is not None,
    )


def _adapter(folder: Path, reference: str, where: Where, card: Mapping[str, Any]) -> FoundModel:
    config = read_adapter_config(folder)
    weights = open_weights(folder / "adapter_model.safetensors", allow_pickle=False)
    base = config.get("base_model_name_or_path")
    return FoundModel(
        reference,
        "adapter",
        where,
        architecture="LoRA",
        parameters=_count(weights),
        bytes=weights.path.stat().st_size,
        licence=licence_in(card),
        made_from=(base,) if isinstance(base, str) and base else base_models(card),
    )


def _count(weights: WeightFile) -> int:
    return sum(math.prod(facts.shape) for facts in weights.facts.values())
