"""A model's folder as llama.cpp's converter sees it: data alone, nothing that names or holds code."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evomerge_core.files.json_file import read_json

# What the converter reads; Python, pickles, adapters and other formats of the same weights are left out.
_DATA = ("*.safetensors", "*.json", "*.jsonl", "*.model", "*.txt", "*.tiktoken", "*.jinja", "README.md")
_NOT_DATA = frozenset({"adapter_config.json", "adapter_model.safetensors"})
_TEMPLATES = "additional_chat_templates"
# Keys that make a library import what they name, anywhere in a settings file.
_CODE = frozenset({"auto_map", "custom_pipelines", "custom_generate"})


@contextlib.contextmanager
def plain_view(model: Path, place: Path) -> Iterator[Path]:
    """A folder of the model's name in `place`, with links to its data and its settings without `auto_map`.

    Weights are copied only where neither symbolic nor hard links can be made. InputError for settings that are not JSON.
    The folder is removed with the context.
    """
    # The converter derives names from the folder's name.
    view = place / model.absolute().name
    try:
        view.mkdir(parents=True)
        for file in _data_files(model):
            if file.name.endswith("config.json"):
                text = json.dumps(_without_code(read_json(file)), ensure_ascii=False)
                (view / file.name).write_text(text, encoding="utf-8")
            else:
                _link(file, view / file.relative_to(model))
        yield view
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _data_files(model: Path) -> list[Path]:
    found = {file for pattern in _DATA for file in model.glob(pattern) if file.is_file() and file.name not in _NOT_DATA}
    return sorted({*found, *(model / _TEMPLATES).glob("*.jinja")})


def _without_code(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_code(inner) for key, inner in value.items() if key not in _CODE}
    return [_without_code(inner) for inner in value] if isinstance(value, list) else value


def _link(file: Path, link: Path) -> None:
    """A link to the file; Windows needs rights for symbolic links, and no file system links hard to another disk."""
    link.parent.mkdir(exist_ok=True)
    source = file.resolve()
    for make in (os.symlink, os.link, shutil.copyfile):
        try:
            make(source, link)
        except OSError:
            if make is shutil.copyfile:
                raise
            continue
        return
