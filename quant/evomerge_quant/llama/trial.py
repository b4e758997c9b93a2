"""Whether llama.cpp survives a file of somebody else's: tried in a process of its own, since a crash would be ours."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.child_environment import without_token

# A file that is read from a slow disk for the first time takes a while.
_SECONDS = 300


def try_gguf(path: Path, mmproj: Path | None = None) -> None:
    """InputError where llama.cpp can't open the file or read a token with it, or ends its process over it; with `mmproj`, where
    it can't look at a picture."""
    files = (path,) if mmproj is None else (path, mmproj)
    try:
        facts = tuple((file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    except OSError:
        return  # whoever opens it says so
    fault = _fault(files, facts)
    if fault:
        raise InputError(fault)


@lru_cache(maxsize=64)
def _fault(files: tuple[Path, ...], _facts: tuple[tuple[int, int], ...]) -> str:
    path = files[-1]
    # -P keeps the working folder off the module path; nothing here needs the hub's token.
    tried = subprocess.Popen(
        [sys.executable, "-P", "-m", "evomerge_quant.llama.trial_process", *map(str, files)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=without_token(),
    )
    try:
        said, _ = tried.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        tried.kill()
        tried.communicate()
        return f"{path}: llama.cpp doesn't come to an end with it; download or export it again"
    if tried.returncode == 0:
        return ""
    lines = said.decode(errors="replace").splitlines()
    return lines[-1] if tried.returncode == 2 and lines else f"{path}: llama.cpp crashes on it; download or export it again"
