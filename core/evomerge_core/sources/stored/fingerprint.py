"""What a file holds, as its sha256; big files are hashed once and remembered by path, size and time."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from platformdirs import user_cache_path

from evomerge_core.errors import InputError

# A smaller file is hashed faster than its remembered hash is worth trusting.
REMEMBERED_FROM_BYTES = 64 * 2**20


def identity(path: Path) -> tuple[str, int, int]:
    """The file's real path, size in bytes and time of last change in nanoseconds."""
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy="download or copy it again") from None
    return str(real), status.st_size, status.st_mtime_ns


def sha256_of(path: Path) -> str:
    """The file's sha256 as 64 hex digits, read as a stream."""
    name, size, changed = identity(path)
    if size < REMEMBERED_FROM_BYTES:
        return hash_file(path)
    key = hashlib.sha256(f"{name}|{size}|{changed}".encode()).hexdigest()
    memory = user_cache_path("evomerge-tui") / "sha256" / key
    known = _recall(memory)
    if known is None:
        known = hash_file(path)
        _remember(memory, known)
    return known


def hash_file(path: Path) -> str:
    """The same, read now, whatever is remembered."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"can't be read ({error.strerror})", where=path, remedy="check the disk and the file's permissions"
        ) from None


def _recall(memory: Path) -> str | None:
    try:
        known = memory.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return known if len(known) == 64 else None


def _remember(memory: Path, digest: str) -> None:
    # A cache that can't be written costs time, not correctness.
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh = memory.with_name(f"{memory.name}.{os.getpid()}")
        fresh.write_text(digest, encoding="ascii")
        fresh.replace(memory)
