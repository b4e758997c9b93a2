"""The log of faults that nobody foresaw: what a person sends along with a report."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from platformdirs import user_state_path

from evomerge_core.files.private import private_files

_MOST_BYTES = 2**20


def fault_log_path() -> Path:
    """One older file lies beside it when it has grown large."""
    return user_state_path("evomerge-tui", appauthor=False) / "faults.log"


def log_fault(fault: BaseException) -> Path | None:
    """Adds a fault with its traceback; gives the log's path, None where nothing can be written. For its owner alone: a message
    may name folders and files."""
    path = fault_log_path()
    told = "".join(traceback.format_exception(fault))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _MOST_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        with private_files(), path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {told}\n")
    except OSError:
        return None
    return path
