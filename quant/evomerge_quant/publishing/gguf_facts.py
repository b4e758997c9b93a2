"""What the head of a GGUF file says of the model in it; read as data, without llama.cpp."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_quant.gguf_head import read_head
from evomerge_quant.llama.mmproj_file import SUSPECT, is_mmproj

_ENCODING = re.compile(r"(?:^|[-.])((?:IQ|TQ|Q|MXFP)\d\w*|BF16|F16|F32)$", re.IGNORECASE)


@dataclass(frozen=True)
class GgufFacts:
    """`encoding` is the type that the file's name ends with ("": it names none); `base_models` are hub ids or names."""

    path: Path
    encoding: str
    title: str
    licence: str | None
    base_models: tuple[str, ...]
    languages: tuple[str, ...]
    sees: bool


def read_gguf_facts(path: Path) -> GgufFacts:
    """Reads a file's head. InputError for what is no GGUF, and for a file that failed verification."""
    if SUSPECT in path.name:
        raise InputError("failed verification", where=path, remedy="export it again, or publish another")
    keys = _keys(path)
    count = keys.get("general.base_model.count")
    numbers = range(min(count, 64)) if isinstance(count, int) else ()
    languages = keys.get("general.languages")
    return GgufFacts(
        path=path,
        encoding=found[1].upper() if (found := _ENCODING.search(path.stem)) else "",
        title=_text(keys, "general.name") or path.stem,
        licence=_text(keys, "general.license"),
        base_models=tuple(filter(None, (_base_model(keys, number) for number in numbers))),
        languages=tuple(str(one) for one in languages) if isinstance(languages, list) else (),
        sees=is_mmproj(path),
    )


def _base_model(keys: dict[str, Any], number: int) -> str:
    """A hub id where the file gives the model's address, else its name."""
    address = _text(keys, f"general.base_model.{number}.repo_url") or ""
    repo = re.fullmatch(r"https://huggingface\.co/([\w.-]+/[\w.-]+)/?", address)
    return repo[1] if repo else _text(keys, f"general.base_model.{number}.name") or ""


def _text(keys: dict[str, Any], name: str) -> str | None:
    value = keys.get(name)
    return value if isinstance(value, str) else None


def _keys(path: Path) -> dict[str, Any]:
    keys = read_head(path, ("general.",), remedy="name a GGUF file or a run's folder")
    if path.suffix.lower() != ".gguf":
        raise InputError("hubs and runners know a GGUF by its name", where=path, remedy="end its name in .gguf")
    return keys
