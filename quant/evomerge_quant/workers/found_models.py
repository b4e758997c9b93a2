"""The job's models on this machine: where the job has them, in the hub's cache or in folders of models, by their hashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from evomerge_core.discovery.folders import find_in_folders
from evomerge_core.errors import InputError
from evomerge_core.files.path_text import on_command_line
from evomerge_core.sources.adapter import open_adapter
from evomerge_core.sources.checkpoint import Checkpoint, open_checkpoint
from evomerge_core.sources.resolve import HUB_ID
from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.fingerprint import sha256_of
from evomerge_quant.workers.run_description import Model, RunDescription, StoredFile


def open_found(described: RunDescription) -> dict[str, Source]:
    """The job's sources by reference, opened on this machine. Raises InputError for a model that isn't here."""
    checkpoints: dict[Path, Checkpoint] = {}
    sources: dict[str, Source] = {}
    for reference, (model, added) in described.models.items():
        folder = find_model(model, described.model_folders)
        if folder not in checkpoints:
            checkpoints[folder] = open_checkpoint(folder, allow_pickle=described.recipe.allow_pickle)
        checkpoint, adapter = checkpoints[folder], None
        if added is not None:
            place = find_model(added, described.model_folders)
            adapter = open_adapter(place, checkpoint, allow_pickle=described.recipe.allow_pickle)
        sources[reference] = Source(reference, checkpoint, adapter)
    return sources


def find_model(model: Model, model_folders: Sequence[str]) -> Path:
    """The folder on this machine that holds a model's very files. Raises InputError with the command that fetches them."""
    nearly = ""
    for folder in _places(model, model_folders):
        if not all(_size(folder / name) == file.size for name, file in model.files.items()):
            continue
        other = next((name for name, file in model.files.items() if not _is(folder / name, file)), None)
        if other is None:
            return folder
        nearly = nearly or f" ({folder / other} has other content)"
    raise InputError(f"isn't on this machine{nearly}", where=model.name or model.folder, remedy=_how(model))


def _places(model: Model, model_folders: Sequence[str]) -> Iterator[Path]:
    """Where a model may be, the likeliest place first."""
    yield Path(model.folder)
    hub = HUB_ID.fullmatch(model.name)
    if hub is not None:
        from huggingface_hub.constants import HF_HUB_CACHE

        yield from sorted((Path(HF_HUB_CACHE) / f"models--{hub['repo'].replace('/', '--')}" / "snapshots").glob("*"))
    for found in find_in_folders(Path(folder) for folder in model_folders):
        yield Path(found.reference)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _is(path: Path, file: StoredFile) -> bool:
    return sha256_of(path) == file.sha256


def _how(model: Model) -> str:
    """How the files are fetched, on that machine."""
    hub = HUB_ID.fullmatch(model.name)
    if hub is not None:
        return f"fetch it there with `evomerge-tui download {on_command_line(model.name)}`"
    folder = on_command_line(Path(model.folder))
    return f"copy it there, to the same path (`rsync -a JOB_MACHINE:{folder}/ {folder}/`) or into one of the model_folders"
