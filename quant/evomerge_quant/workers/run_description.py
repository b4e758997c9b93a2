"""What a worker is told before the first candidate: data alone, and files by their hashes, since paths differ."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.setup import Setup
from evomerge_core.sources.resolve import split_reference

# Scores depend on these.
_VERSIONS = ("evomerge-tui", "torch", "transformers", "numpy", "numba", "bitsandbytes")
PROCESSOR = "processor"
# What an adapter's files are called beside its model's, in `Source.named_files`.
_ADAPTER = "adapter/"


@dataclass(frozen=True)
class StoredFile:
    """A file by its size in bytes and its sha256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Model:
    """A model or an adapter: how the recipe names it, where it lies on the job's machine, and its files by name."""

    name: str
    folder: str
    files: Mapping[str, StoredFile]


@dataclass(frozen=True)
class RunDescription:
    """The run's recipe, and by reference its models, each with its adapter or None.

    `tokenizer` is the reference of the model whose vocabulary all are in. `layers` is how many layers the base has.
    `model_folders` may hold the models too. `features` is the folder of what the base makes of `pictures` (by sha256).
    `versions` are those of the job's libraries.
    """

    recipe: Recipe
    models: Mapping[str, tuple[Model, Model | None]]
    tokenizer: str
    layers: int
    model_folders: tuple[str, ...]
    features: str
    pictures: tuple[str, ...]
    versions: Mapping[str, str]


def describe_run(setup: Setup, model_folders: Sequence[str], features: Path, pictures: Sequence[str]) -> RunDescription:
    """A run as its workers are told of it."""
    return RunDescription(
        recipe=setup.recipe,
        models={reference: _models(setup, reference) for reference in setup.sources},
        tokenizer=setup.tokenizer,
        layers=setup.layers,
        model_folders=tuple(model_folders),
        # workers are in another working folder
        features=str(features.absolute()),
        pictures=tuple(pictures),
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """What this process computes with."""
    return {**{name: version(name) for name in _VERSIONS}, PROCESSOR: platform.machine()}


def _models(setup: Setup, reference: str) -> tuple[Model, Model | None]:
    source, hashes = setup.sources[reference], setup.fingerprints[reference]
    model, adapter = split_reference(reference, setup.recipe.folder)
    stored = {name: StoredFile(path.stat().st_size, hashes[name]) for name, path in source.named_files.items()}
    own = {name: file for name, file in stored.items() if not name.startswith(_ADAPTER)}
    added = {name.removeprefix(_ADAPTER): file for name, file in stored.items() if name.startswith(_ADAPTER)}
    whole = Model(model, str(source.folder), own)
    return whole, None if source.adapter is None else Model(adapter or "", str(source.adapter.folder), added)
