"""What is published names no folder of this machine: models by their public names, other files by their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from evomerge_core.merging.model_folder.card import public_name

# Keys of recipes and merge files whose values are texts for models, whatever they look like.
_TEXTS = frozenset({"prompt", "system", "gold", "pattern", "choices", "stop", "chat_template"})
# An absolute path of at least two parts, inside of a sentence.
_PATH = re.compile(r"(?<![\w./\\])(?:[A-Za-z]:[\\/]|/)(?:[\w.+~ -]*[\w.+~-][\\/])+([\w.+~-]+)")


def without_folders(data: Any) -> Any:
    """A recipe's or merge file's data in which every path of this machine has become a name."""
    if isinstance(data, Mapping):
        return {
            _named(key) if isinstance(key, str) else key: value if key in _TEXTS else without_folders(value)
            for key, value in data.items()
        }
    if isinstance(data, list | tuple):
        return [without_folders(value) for value in data]
    return _named(data) if isinstance(data, str) else data


def local_parts(data: Any) -> set[str]:
    """The paths of this machine that the data names."""
    if isinstance(data, Mapping):
        inner = [local_parts(value) for key, value in data.items() if key not in _TEXTS]
        return set().union(*inner, *(local_parts(key) for key in data))
    if isinstance(data, list | tuple):
        return set().union(*map(local_parts, data))
    return {part for part in data.split("+") if _is_local(part)} if isinstance(data, str) else set()


def hide_paths(text: str, known: Iterable[str | Path]) -> str:
    """A text for people with known paths, and whatever else looks like one, as the last part alone."""
    for path in sorted((str(path) for path in known), key=len, reverse=True):
        if len(path) > 1:
            text = text.replace(path, public_name(Path(path)))
    return _PATH.sub(lambda found: found[1], text)


def _named(value: str) -> str:
    return "+".join(_public(part) if _is_local(part) else part for part in value.split("+"))


def _public(part: str) -> str:
    if PureWindowsPath(part).drive:
        return PureWindowsPath(part).name
    return public_name(Path(part)) or "."


def _is_local(part: str) -> bool:
    """Whether a reference is a path and no hub id, as far as its letters tell."""
    return "\n" not in part and (
        part.startswith(("/", "./", "../", "~", ".\\", "..\\")) or bool(PureWindowsPath(part).drive) or part in (".", "..")
    )
