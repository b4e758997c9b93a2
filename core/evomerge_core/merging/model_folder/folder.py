"""Writes a model folder: whole or not at all, and the same bytes each time."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.files.durable import flush_tree, rename
from evomerge_core.files.full_disk import SPARE_BYTES, full_disk, is_full
from evomerge_core.files.json_file import read_json
from evomerge_core.merging.model_folder.body_tensors import whole_facts, whole_stream
from evomerge_core.merging.model_folder.shards import plan_shards, tensor_bytes, write_shards
from evomerge_core.sources.pretrained import KERNEL_SETTINGS, knows_model, knows_tokenizer
from evomerge_core.sources.stored.tokenizer_files import tokenizer_files
from evomerge_core.sources.stored.weight_file import DTYPES, TensorFacts
from evomerge_core.sources.vision.body import Body, processor_files

SHARD_BYTES = 5_000_000_000


@dataclass(frozen=True)
class ModelFiles:
    """What goes into a model folder besides the numbers.

    `shapes` are the tensors' in the order in which they come, all of `dtype`. `model_folder` gives generation_config.json,
    which `generation` replaces, `tokenizer_folder` the tokenizer and its chat template, which `chat_template` (Jinja) replaces;
    each also its own code where transformers needs it. `recipe` is the file `recipe_file` that makes the model again. With a
    `body` the tensors are the language part of a vision-language model, and `model_folder` gives the processor's files too.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtype: torch.dtype
    config: Mapping[str, Any]
    model_folder: Path
    tokenizer_folder: Path
    card: str
    recipe: str
    recipe_file: str = "mergekit_config.yml"
    chat_template: str | None = None
    generation: Mapping[str, Any] | None = None
    body: Body | None = None


def write_model(folder: Path, stream: Iterable[tuple[str, Tensor]], files: ModelFiles, shard_bytes: int = SHARD_BYTES) -> None:
    """Writes the model beside `folder` under a temporary name, flushes it to the disk itself, then renames it.

    Memory holds one tensor at a time. InputError when `folder` exists and isn't empty, can't be made, or doesn't fit on the
    disk; nothing is left behind then, nor after any other error.
    """
    require_free(folder)
    folder = folder.absolute()
    part = folder.with_name(f".{folder.name}.part")
    tensors, stream = _tensors(files), stream if files.body is None else whole_stream(stream, files.body)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        require_space(folder, tensor_bytes(tensors))
        write_shards(part, plan_shards(tensors, shard_bytes), stream)
        _write_small_files(part, files)
        flush_tree(part)
        if folder.exists():
            folder.rmdir()
        rename(part, folder)
    except OSError as error:
        if is_full(error):
            raise full_disk(folder, tensor_bytes(tensors), then="try again or give another folder") from error
        reason = unwritable(error)
        if reason is None:
            raise
        raise InputError(reason, where=folder, remedy="give another folder") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def require_free(folder: Path) -> None:
    """InputError unless `folder` doesn't exist yet or is an empty folder."""
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file", where=folder, remedy="give a folder that doesn't exist yet")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError("is not empty", where=folder, remedy="empty it or give another folder")


def require_space(folder: Path, weights: int) -> None:
    """InputError unless the disk of `folder`, which needn't exist yet, has room for so many bytes of weights."""
    needed = weights + SPARE_BYTES
    there = next(place for place in folder.absolute().parents if place.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise InputError(
            f"no space left: {needed / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free",
            where=folder,
            remedy="free some space or give another folder",
        )


def unwritable(error: OSError) -> str | None:
    """Why a place can't be written to; None for an error that has other reasons."""
    if isinstance(error, (PermissionError, FileExistsError, NotADirectoryError)) or error.errno == errno.EROFS:
        return f"can't be written ({error.strerror})"
    return None


def _tensors(files: ModelFiles) -> Mapping[str, TensorFacts]:
    spelled = next(name for name, dtype in DTYPES.items() if dtype == files.dtype)
    own = {name: TensorFacts(shape, spelled) for name, shape in files.shapes.items()}
    return own if files.body is None else whole_facts(own, files.body)


def _write_small_files(folder: Path, files: ModelFiles) -> None:
    for file in tokenizer_files(files.tokenizer_folder):
        _copy(file, folder / file.relative_to(files.tokenizer_folder).parent)
    for file in processor_files(files.model_folder) if files.body else ():
        _copy(file, folder)
    if files.generation is None:
        _copy(files.model_folder / "generation_config.json", folder)
    else:
        _write_json(folder / "generation_config.json", files.generation)
    config = _write_code(folder, files)
    if files.chat_template is not None:
        _replace_template(folder, files.chat_template)
    _write_json(folder / "config.json", config)
    _write_text(folder / "README.md", files.card)
    _write_text(folder / files.recipe_file, files.recipe)


def _write_code(folder: Path, files: ModelFiles) -> dict[str, Any]:
    """The model's own code, and the child's config.json, which says where it is.

    Code that transformers does without is left out: whoever gets the child shouldn't be asked to run a stranger's.
    """
    config = {key: value for key, value in files.config.items() if key not in KERNEL_SETTINGS}
    if knows_model(config):
        config.pop("auto_map", None)
    path = folder / "tokenizer_config.json"
    tokenizer = read_json(path) if path.is_file() else {}
    if "auto_map" in tokenizer and knows_tokenizer(tokenizer, config):
        del tokenizer["auto_map"]
        _write_json(path, tokenizer)
    for settings, origin in ((config, files.model_folder), (tokenizer, files.tokenizer_folder)):
        for code in sorted(origin.glob("*.py")) if "auto_map" in settings else ():
            _copy(code, folder)
    return config


def _copy(file: Path, folder: Path) -> None:
    if file.is_file():
        folder.mkdir(exist_ok=True)
        shutil.copyfile(file, folder / file.name)


def _replace_template(folder: Path, template: str) -> None:
    (folder / "chat_template.json").unlink(missing_ok=True)
    _write_text(folder / "chat_template.jinja", template)
    path = folder / "tokenizer_config.json"
    if path.is_file():
        config = read_json(path)
        if config.pop("chat_template", None) is not None:
            _write_json(path, config)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
