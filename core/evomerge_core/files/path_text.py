"""Paths that people write into files."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from evomerge_core.errors import InputError

# What file systems take: of a name, and of a whole path.
_NAME_BYTES, _PATH_BYTES = 255, 4000


def is_path(text: str) -> bool:
    """Whether a path of this spelling can be there: printable, and no longer than file systems allow."""
    names = text.replace("\\", "/").split("/")
    return text.isprintable() and len(text.encode()) <= _PATH_BYTES and all(len(name.encode()) <= _NAME_BYTES for name in names)


def written_path(text: str) -> Path:
    """The path that a text names, `~` being the home folder; InputError where it can't be one."""
    if not is_path(text):
        shown = text if len(text) < 60 else f"{text[:57]}..."
        raise InputError(
            "can't be a path", where=ascii(shown), remedy="give one of printable characters, names up to 255 bytes"
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InputError("there is no such home folder", where=text, remedy="give the path from the root") from None


def on_command_line(path: str | Path, *, windows: bool = os.name == "nt") -> str:
    """A path as a command line has to name it: in quotes where a shell would read something else, never an option."""
    text = f".{os.sep}{path}" if str(path).startswith("-") else str(path)
    if not windows:
        return shlex.quote(text)
    # a Windows name can't hold a quote
    return text if re.fullmatch(r"[\w.:\\/~+@=-]+", text) else f'"{text}"'
