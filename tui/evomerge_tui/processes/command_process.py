"""Commands of the command line in a process of their own: heavy work never blocks the screens.

A screen and a terminal thus do the same thing, and models and torch are loaded where no key press waits for them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from evomerge_core.errors import InputError
from evomerge_tui.processes.child_commands import command_environment, command_line

_POLL_SECONDS = 0.1


def run_command(words: Sequence[object], *, is_cancelled: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Runs `evomerge-tui WORDS --json` and returns its result, the last line; for a thread.

    Raises `InputError` with the command's own error. When `is_cancelled` becomes true, the command is ended.
    """
    process = subprocess.Popen(
        command_line(words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=command_environment(words),
    )
    while True:
        try:
            out, err = process.communicate(timeout=_POLL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if is_cancelled():
                process.terminate()
                process.communicate()
                raise InputError("cancelled") from None
    lines = out.strip().splitlines()
    if process.returncode != 0 or not lines:
        raise InputError(_last_line(err) or f"the command ended with status {process.returncode}")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else ""
