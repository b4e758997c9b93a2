"""The command line as a person uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def command(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `evomerge-tui` as a person does: a process of its own."""
    line = [sys.executable, "-m", "evomerge_tui", *(str(word) for word in words)]
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd)
