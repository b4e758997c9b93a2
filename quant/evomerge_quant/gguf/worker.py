"""Workers: processes of their own for heavy steps, so that these can be stopped at any moment and give their memory back.

A worker never outlives the process that started it: its standard input closes then, which `end_with_parent` waits for.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from evomerge_core.own_input import take_input
from evomerge_quant.gguf.closed_process import closed_environment

_KEPT_LINES = 60


def start(module: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Starts `python -m module arguments`, in an environment without the hub (`closed_environment`).

    The module calls `end_with_parent`. `-P` keeps the working folder, which may hold anything, off the module path.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**closed_environment(), "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
    )


def follow(process: subprocess.Popen[bytes], on_line: Callable[[str], None]) -> tuple[int, list[str]]:
    """Passes each line on until the process ends; gives its status and last lines. An exception here kills the process."""
    assert process.stdout is not None
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        for line in _lines(process.stdout):
            kept.append(line)
            on_line(line)
        return process.wait(), list(kept)
    finally:
        end(process)


def ask(process: subprocess.Popen[bytes], request: str, mark: str) -> tuple[str | None, list[str]]:
    """Sends a line and waits for the line that begins with `mark`: what follows the mark, or None when the process ends before.

    Gives also the last lines until then. An interruption leaves the process to whoever started it.
    """
    assert process.stdout is not None
    send(process, request)
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    for line in _lines(process.stdout):
        if line.startswith(mark):
            return line.removeprefix(mark), list(kept)
        kept.append(line)
    return None, list(kept)


def send(process: subprocess.Popen[bytes], request: str) -> None:
    """Sends a line; a process that has ended doesn't get it, and its last lines say why."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(request.encode() + b"\n")
        process.stdin.flush()


def end(process: subprocess.Popen[bytes]) -> None:
    """Kills the process if it still runs, and closes its pipes."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        # what it didn't take any more is flushed once more: a broken pipe here would hide why it ended
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def end_with_parent() -> None:
    """Called by a worker: ends it as soon as its standard input closes, which the parent's death does on every system."""
    threading.Thread(target=_wait_for_the_parents_end, args=(take_input(),), daemon=True).start()


def _wait_for_the_parents_end(own_input: int) -> None:
    # The bare file descriptor: a buffered reader that a daemon thread holds would trip the interpreter at its end.
    while os.read(own_input, 1 << 10):
        pass
    os._exit(3)


def _lines(pipe: IO[bytes]) -> Iterator[str]:
    """Lines that end with a line feed or, as progress bars do, with a carriage return."""
    rest = b""
    while chunk := os.read(pipe.fileno(), 1 << 16):
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        yield from (line.decode(errors="replace").rstrip() for line in whole if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace").rstrip()
