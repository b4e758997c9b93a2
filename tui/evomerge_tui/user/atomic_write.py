"""Writes a small file completely or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from evomerge_core.errors import InputError


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replaces a file in one step and makes its folder; raises `InputError` when it can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(part).chmod(mode)
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(
            f"can't be written ({error.strerror})", where=path, remedy="free some space or fix its permissions"
        ) from error
