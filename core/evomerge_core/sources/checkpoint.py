"""A model folder: config.json and its weights, mapped and never loaded whole."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evomerge_core.errors import InputError, MissingFile
from evomerge_core.files.json_file import read_json
from evomerge_core.files.path_text import is_path
from evomerge_core.sources.stored.config_kinds import require_kinds
from evomerge_core.sources.stored.weight_file import DTYPES, TensorFacts, WeightFile, open_weights, with_name
from evomerge_core.sources.tensors.left_out import left_out
from evomerge_core.sources.tensors.names import BUFFERS, CAUSAL_MASK, QUANTISED_NAMES, is_head, is_tied_name
from evomerge_core.sources.tensors.tie import lone_head, second_copies, ties
from evomerge_core.sources.vision.body import Body, processor_files, split
from evomerge_core.sources.vision.layout import find_layout

# Files beside the weights that make a model what it is; whichever of them exist are part of its fingerprint.
COMPANIONS = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
)
UNQUANTISED_REMEDY = "merging needs the unquantised original: give that instead (bf16, f16 or f32 safetensors)"


@dataclass(frozen=True)
class Checkpoint:
    """An open model folder; two are equal when they are the same folder.

    `tensors` keeps the order of the files. Kept apart are a tied head that was stored all the same, in `tied_copies`, and what
    is no part of the model, in `left_out`; constants such as rotary frequencies are in neither. A tied matrix that was stored
    as the head has the embedding's name here. `plain`: transformers reads just these tensors from the files.

    Of a vision-language model these are the language part, by a text model's names; all else is its `body`.
    """

    folder: Path
    config: Mapping[str, Any] = field(compare=False)
    tensors: Mapping[str, WeightFile] = field(compare=False, repr=False)
    files: tuple[Path, ...] = field(compare=False)
    tied_copies: Mapping[str, WeightFile] = field(compare=False, repr=False, default_factory=dict)
    left_out: Mapping[str, WeightFile] = field(compare=False, repr=False, default_factory=dict)
    plain: bool = field(compare=False, default=True)
    body: Body | None = field(compare=False, repr=False, default=None)

    @property
    def tied(self) -> bool:
        """Whether the head shares the embedding's weights, so that there is no tensor for it."""
        return not any(is_head(name) for name in self.tensors)

    def facts(self, name: str) -> TensorFacts:
        """The stored shape and dtype of a tensor; raises InputError when there is none of that name."""
        return self._file(name).facts[name]

    def dtype(self, name: str) -> torch.dtype:
        """The stored dtype: bfloat16, float16 or float32."""
        return DTYPES[self.facts(name).dtype]

    def read(self, name: str) -> Tensor:
        """The tensor as stored, mapped from the file: no copy is made, and it must not be written to."""
        return self._file(name).read(name)

    def _file(self, name: str) -> WeightFile:
        if name not in self.tensors:
            raise InputError(f"has no tensor {name}", where=self.folder, remedy="check that the models share an architecture")
        return self.tensors[name]


def open_checkpoint(folder: Path, *, allow_pickle: bool = False) -> Checkpoint:
    """Opens a model folder, single file or sharded.

    Raises InputError when the folder, config.json, a shard or a tensor is missing or damaged, when the model is
    quantised, and when it is a pickle and `allow_pickle` is False.
    """
    _require_model_folder(folder)
    config = read_config(folder)
    listing = _find_weights(folder)
    files = [open_weights(path, allow_pickle=allow_pickle) for path in listing.files]
    _require_listed(listing, config, files)
    read = [*([listing.index] if listing.index else []), *listing.files]
    return make_checkpoint(folder, config, files, read)


def read_config(folder: Path) -> dict[str, Any]:
    """A model folder's config.json; raises InputError where it can't be read or says that the model is quantised."""
    config = read_json(folder / "config.json")
    _refuse_quantised_config(folder, config)
    require_kinds(folder / "config.json", config)
    return config


def make_checkpoint(folder: Path, config: Mapping[str, Any], files: Sequence[WeightFile], read: Sequence[Path]) -> Checkpoint:
    """The checkpoint of open weight files; `read` are the files that they are read from, the index included.

    Raises InputError for tensors that are quantised or stored twice.
    """
    body = None
    layout = find_layout(config, (name for file in files for name in file.facts))
    if layout is not None:
        files, body = split(files, layout)
        _gather(body.files)
    tensors = _gather(files)
    passed_over = {name: tensors.pop(name) for name in sorted(left_out(config, tensors))}
    lone = lone_head(config, tensors)
    if lone is not None:
        tensors = _gather([with_name(file, *lone) for file in files], besides=passed_over)
    tied_copies = {name: tensors.pop(name) for name in second_copies(config, tensors)}
    companions = [folder / name for name in COMPANIONS if (folder / name).is_file()]
    companions += [] if body is None else processor_files(folder)
    return Checkpoint(
        folder,
        config,
        tensors,
        (folder / "config.json", *read, *companions),
        tied_copies,
        passed_over,
        lone is None and not passed_over,
        body,
    )


def _require_model_folder(folder: Path) -> None:
    if folder.suffix == ".gguf":
        raise InputError("a GGUF is an export, mostly quantised", where=folder, remedy=UNQUANTISED_REMEDY)
    if not folder.exists():
        raise InputError("no such folder", where=folder, remedy="check the path")
    if not folder.is_dir():
        raise InputError("not a folder", where=folder, remedy="give the folder that holds config.json and the safetensors")
    if (folder / "config.json").is_file():
        return
    if (folder / "adapter_config.json").is_file():
        raise InputError("is a LoRA adapter", where=folder, remedy=f"write it after its model, as MODEL+{folder.name}")
    if any(folder.glob("*.gguf")):
        raise InputError("holds a GGUF and no config.json", where=folder, remedy=UNQUANTISED_REMEDY)
    raise MissingFile(
        "no such file", where=folder / "config.json", remedy="give a folder that transformers' save_pretrained wrote"
    )


def _refuse_quantised_config(folder: Path, config: Mapping[str, Any]) -> None:
    for key in ("quantization_config", "compression_config"):
        settings = config.get(key)
        if settings:
            method = settings.get("quant_method", "") if isinstance(settings, dict) else ""
            raise InputError(
                f"already quantised ({method or key})", where=f"{folder / 'config.json'}: {key}", remedy=UNQUANTISED_REMEDY
            )


@dataclass(frozen=True)
class _Listing:
    """The weight files, and the shard that the index gives each tensor (empty for a single file)."""

    files: tuple[Path, ...]
    index: Path | None
    weight_map: Mapping[str, str]


def _find_weights(folder: Path) -> _Listing:
    for stem in ("model.safetensors", "pytorch_model.bin"):
        single, index = folder / stem, folder / f"{stem}.index.json"
        if single.is_file():
            return _Listing((single,), None, {})
        if index.is_file():
            return _read_index(index)
    if any(folder.glob("*.gguf")):
        raise InputError("holds a GGUF and no safetensors", where=folder, remedy=UNQUANTISED_REMEDY)
    raise MissingFile(
        "no such file, and no index of shards", where=folder / "model.safetensors", remedy="download or copy the model again"
    )


def _read_index(index: Path) -> _Listing:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError("weight_map is missing or empty", where=index, remedy="download or copy the model again")
    for name, shard in weight_map.items():
        # A shard elsewhere would let a downloaded folder read any file.
        if not isinstance(shard, str) or re.search(r"[/\\:]", shard) or shard in ("", ".", "..") or not is_path(shard):
            listed = f"{name[:200]} is listed in {ascii(shard)[:200]}"
            raise InputError(listed, where=index, remedy="shards must lie beside the index")
        if not (index.parent / shard).is_file():
            raise MissingFile(
                f"missing shard, it holds {name}", where=index.parent / shard, remedy="download or copy the model again"
            )
    shards = sorted(set(weight_map.values()))
    return _Listing(tuple(index.parent / shard for shard in shards), index, weight_map)


def _require_listed(listing: _Listing, config: Mapping[str, Any], files: Sequence[WeightFile]) -> None:
    """Refuses an index that lists a tensor of the model that no shard holds, unless a tied twin stands for it."""
    held = {file.path.name: file.facts for file in files}
    absent = [name for name, shard in listing.weight_map.items() if name not in held[shard]]
    passed_over = left_out(config, listing.weight_map)
    twin = any(is_tied_name(name) and name not in passed_over for file in files for name in file.facts)
    for name in absent:
        has_twin = twin and is_tied_name(name) and ties(config)
        if name not in passed_over and not BUFFERS.search(name) and not has_twin:
            raise InputError(
                f"{name} is listed in {listing.weight_map[name]}, which doesn't hold it",
                where=listing.index or "",
                remedy="download or copy the model again",
            )


def _gather(files: Sequence[WeightFile], besides: Container[str] = ()) -> dict[str, WeightFile]:
    tensors: dict[str, WeightFile] = {}
    for file in files:
        for name, facts in file.facts.items():
            if name in besides or _is_constant(name, facts):
                continue
            _require_float(file.path, name, facts)
            if name in tensors:
                raise InputError(
                    f"{name} is also in {tensors[name].path.name}", where=file.path, remedy="download or copy the model again"
                )
            tensors[name] = file
    if not tensors:
        raise InputError("holds no weights", where=files[0].path, remedy="download or copy the model again")
    return tensors


def _is_constant(name: str, facts: TensorFacts) -> bool:
    return bool(BUFFERS.search(name)) or (len(facts.shape) == 4 and bool(CAUSAL_MASK.search(name)))


def _require_float(path: Path, name: str, facts: TensorFacts) -> None:
    if QUANTISED_NAMES.search(name) or (facts.dtype not in DTYPES and facts.dtype != "F64"):
        raise InputError(f"{name} is stored as {facts.dtype}, already quantised", where=path, remedy=UNQUANTISED_REMEDY)
    if facts.dtype == "F64":
        raise InputError(f"{name} is stored as F64", where=path, remedy="save the model as float32, bfloat16 or float16")
