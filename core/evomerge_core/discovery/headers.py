"""Sources opened by their headers: of a hub model that isn't downloaded, only config, tokenizer and tensor shapes are fetched.

Such a source can't read weights. Everything else (compatibility, sizes, prompts) is known before a download.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.sources.adapter import fit_adapter, open_adapter
from evomerge_core.sources.adapters.settings import read_adapter_config
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.checkpoint import Checkpoint, make_checkpoint, open_checkpoint, read_config
from evomerge_core.sources.resolve import UNWANTED, WANTED, as_input_error, hub_id, locate, split_reference
from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.weight_file import BUFFER_DTYPES, DTYPES, TensorFacts, WeightFile

_SMALL_FILES = tuple(pattern for pattern in WANTED if pattern != "*.safetensors")
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_SINGLE_FILES = ("model.safetensors", "pytorch_model.bin", _ADAPTER_WEIGHTS, "adapter_model.bin")
_ITEM_BYTES = {name: dtype.itemsize for name, dtype in {**DTYPES, **BUFFER_DTYPES}.items()}


class PickledOnHub(InputError):
    """A hub model whose weights are pickles, which can't be inspected before they are downloaded; `bytes` is their size."""

    def __init__(self, reference: str, size: int) -> None:
        super().__init__("its weights are pickles, which can't be inspected on the hub", where=reference, remedy="download it")
        self.bytes = size


@dataclass(frozen=True)
class OpenedHeaders:
    """Sources by reference, and the sizes of those that can't be inspected before they are downloaded."""

    opened: Mapping[str, Source]
    unseen: Mapping[str, int]


def look_at(references: Iterable[str], *, relative_to: Path, allow_pickle: bool = False) -> OpenedHeaders:
    """As `open_headers`, but models whose weights are pickles on the hub are listed, not refused. Raises InputError."""
    opened: dict[str, Source] = {}
    unseen: dict[str, int] = {}
    for reference in references:
        try:
            opened |= open_headers([reference], relative_to=relative_to, allow_pickle=allow_pickle)
        except PickledOnHub as error:
            unseen[reference] = error.bytes
    return OpenedHeaders(opened, unseen)


def open_headers(references: Iterable[str], *, relative_to: Path, allow_pickle: bool = False) -> dict[str, Source]:
    """Sources by reference, as `open_sources` opens them, but nothing large is downloaded.

    The weights of what isn't on this machine can't be read: its tensors raise InputError. Raises InputError.
    """
    opened: dict[str, Checkpoint] = {}
    sources: dict[str, Source] = {}
    for reference in references:
        model, adapter = split_reference(reference, relative_to)
        if model not in opened:
            opened[model] = _checkpoint(model, relative_to, allow_pickle)
        source = Source(reference, opened[model])
        if adapter is not None:
            source = replace(source, adapter=_adapter(adapter, opened[model], relative_to, allow_pickle))
        sources[reference] = source
    return sources


def here(part: str, *, relative_to: Path, allow_pickle: bool = False) -> Path | None:
    """The folder of a model or adapter whose files are all on this machine; None for one that must be downloaded."""
    hub = hub_id(part, relative_to / Path(part).expanduser())
    if hub is None:
        return locate(part, relative_to=relative_to, allow_pickle=allow_pickle).model
    return cached(*hub)


def cached(repo: str, revision: str | None) -> Path | None:
    """A hub model's folder in the hub's cache when its weights are there whole; asks no server."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repo, revision=revision, local_files_only=True, allow_patterns=list(_SMALL_FILES)))
    except (LocalEntryNotFoundError, ValueError):
        return None
    return folder if has_weights(folder) else None


def has_weights(folder: Path) -> bool:
    """Whether a folder holds all files of a model's or adapter's weights."""
    if any((folder / name).is_file() for name in _SINGLE_FILES):
        return True
    try:
        open_checkpoint(folder)
    except InputError:
        return False
    return True


def _checkpoint(model: str, relative_to: Path, allow_pickle: bool) -> Checkpoint:
    folder = here(model, relative_to=relative_to, allow_pickle=allow_pickle)
    if folder is not None:
        return open_checkpoint(folder, allow_pickle=allow_pickle)
    hub = hub_id(model, relative_to / model)
    assert hub is not None
    return _remote_checkpoint(*hub, allow_pickle)


@lru_cache(maxsize=64)
def _remote_checkpoint(repo: str, revision: str | None, allow_pickle: bool) -> Checkpoint:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import NotASafetensorsRepoError, SafetensorsParsingError

    folder = _small_files(repo, revision)
    config = _with_stated_tie(folder, read_config(folder))
    with as_input_error(repo, revision):
        try:
            metadata = HfApi().get_safetensors_metadata(repo, revision=revision)
        except (NotASafetensorsRepoError, SafetensorsParsingError):
            if allow_pickle and (size := _pickle_bytes(repo, revision)):
                raise PickledOnHub(repo, size) from None
            raise InputError(
                "has no safetensors", where=repo, remedy="give the unquantised original, or convert it first"
            ) from None
    files = [_weight_file(folder / name, facts) for name, facts in metadata.files_metadata.items()]
    return make_checkpoint(folder, config, files, [file.path for file in files])


def _pickle_bytes(repo: str, revision: str | None) -> int:
    from huggingface_hub import HfApi

    siblings = HfApi().model_info(repo, revision=revision, files_metadata=True).siblings or ()
    return sum(file.size or 0 for file in siblings if file.rfilename.endswith(".bin") and "/" not in file.rfilename)


def _with_stated_tie(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """A config that says whether the head is tied, by transformers' default where config.json doesn't."""
    if "tie_word_embeddings" in config:
        return config
    bare = Source(str(folder), Checkpoint(folder, config, {}, ()))
    return {**config, "tie_word_embeddings": bool(settings(bare).get("tie_word_embeddings", False))}


def _adapter(part: str, checkpoint: Checkpoint, relative_to: Path, allow_pickle: bool) -> Any:
    folder = here(part, relative_to=relative_to, allow_pickle=allow_pickle)
    if folder is not None:
        return open_adapter(folder, checkpoint, allow_pickle=allow_pickle)
    hub = hub_id(part, relative_to / part)
    assert hub is not None
    folder, weights = _remote_factors(*hub)
    return fit_adapter(folder, read_adapter_config(folder), weights, checkpoint)


@lru_cache(maxsize=64)
def _remote_factors(repo: str, revision: str | None) -> tuple[Path, WeightFile]:
    from huggingface_hub import HfApi

    folder = _small_files(repo, revision)
    with as_input_error(repo, revision):
        metadata = HfApi().parse_safetensors_file_metadata(repo, _ADAPTER_WEIGHTS, revision=revision)
    return folder, _weight_file(folder / _ADAPTER_WEIGHTS, metadata)


def _small_files(repo: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    small, unwanted = list(_SMALL_FILES), list(UNWANTED)
    with as_input_error(repo, revision):
        return Path(snapshot_download(repo, revision=revision, allow_patterns=small, ignore_patterns=unwanted))


def _weight_file(path: Path, metadata: Any) -> WeightFile:
    facts = {name: TensorFacts(tuple(tensor.shape), tensor.dtype) for name, tensor in metadata.tensors.items()}

    def read(name: str) -> Tensor:
        _refuse(path, name)

    return WeightFile(path, facts, read)


def _refuse(path: Path, name: str) -> NoReturn:
    raise InputError(f"{name} isn't downloaded yet", where=path, remedy="download the model first")


def is_here(source: Source) -> bool:
    """Whether a source's weights are on this machine."""
    return all(path.exists() for path in source.files)


def parts_away(source: Source, relative_to: Path) -> tuple[str, ...]:
    """The hub ids, of the model and its adapter, that must be downloaded before the source's weights can be read."""
    model, adapter = split_reference(source.reference, relative_to)
    away = [model] if not all(path.exists() for path in source.checkpoint.files) else []
    if adapter is not None and source.adapter is not None and not source.adapter.weights.path.exists():
        away.append(adapter)
    return tuple(away)


def download_bytes(sources: Iterable[Source]) -> int:
    """What is still to be downloaded before the sources' weights can be read, in bytes; what they share counts once."""
    files = {file.path: file for source in sources for file in _weight_files(source)}
    return sum(stored_bytes(file) for path, file in files.items() if not path.exists())


def _weight_files(source: Source) -> list[WeightFile]:
    checkpoint = source.checkpoint
    if checkpoint.body is None:
        own = [file for part in (checkpoint.tensors, checkpoint.tied_copies, checkpoint.left_out) for file in part.values()]
    else:
        own = list(checkpoint.body.files)
    return own if source.adapter is None else [*own, source.adapter.weights]


def stored_bytes(file: WeightFile) -> int:
    """The size of a weight file's tensors, in bytes."""
    return sum(math.prod(facts.shape) * _ITEM_BYTES.get(facts.dtype, 4) for facts in file.facts.values())
