"""A model's folder as llama.cpp's converter sees it: data alone, nothing that names or holds code."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evomerge_core.files.json_file import read_json

# What the converter reads; Python, pickles, adapters and other formats of the same weights are left out.
_DATA = ("*.safetensors", "*.json", "*.jsonl", "*.model", "*.txt", "*.tiktoken", "*.jinja", "README.md")
_NOT_DATA = frozenset({"adapter_config.json", "adapter_model.safetensors"})
_TEMPLATES = "additional_chat_templates"
_TOKENIZER = "tokenizer_config.json"
# Keys that make a library import what they name, anywhere in a settings file.
_CODE = frozenset({"auto_map", "custom_pipelines", "custom_generate"})


@contextlib.contextmanager
def plain_view(model: Path, place: Path) -> Iterator[Path]:
    """A folder of the model's name in `place`, with links to its data and its settings without `auto_map`.

    The settings of a SentencePiece tokenizer name its added tokens, whatever wrote them. Weights are copied only where neither
    symbolic nor hard links can be made. InputError for settings that are not JSON. The folder is removed with the context.
    """
    # The converter derives names from the folder's name.
    view = place / model.absolute().name
    try:
        view.mkdir(parents=True)
        for file in _data_files(model):
            if file.name.endswith("config.json"):
                settings = _without_code(read_json(file))
                if file.name == _TOKENIZER:
                    settings = _with_added_tokens(settings, model)
                (view / file.name).write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
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


def _with_added_tokens(settings: Mapping[str, Any], model: Path) -> dict[str, Any]:
    """The tokenizer's settings with the tokens that were added to a SentencePiece model.

    Beside a tokenizer.model the converter looks for them here alone, and transformers 5 writes them into tokenizer.json alone.
    """
    whole = model / "tokenizer.json"
    if not (model / "tokenizer.model").is_file() or not whole.is_file():
        return dict(settings)
    added = read_json(whole).get("added_tokens")
    if not added:
        return dict(settings)
    named = {str(token["id"]): {"content": token["content"], "special": bool(token.get("special"))} for token in added}
    return {**settings, "added_tokens_decoder": {**named, **(settings.get("added_tokens_decoder") or {})}}


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
