"""Files that nobody but their owner may read. Windows keeps a user's files from others by the folders that they lie in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OWNER_ALONE = 0o077


@contextmanager
def private_files() -> Iterator[None]:
    """What this process makes meanwhile, and what the processes make that it starts meanwhile, is for its owner alone."""
    before = os.umask(_OWNER_ALONE)
    try:
        yield
    finally:
        os.umask(before)


def make_private_folder(folder: Path) -> None:
    """Makes a folder, or takes an empty one, that its owner alone may look into; those above it are made as usual."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
