"""The process that works out what strangers' files ask for: started when it is first needed, replaced after a limit."""

from __future__ import annotations

import atexit
import json
import signal
import subprocess
import sys
import threading
from typing import Any

from evomerge_core.files.child_environment import without_token
from evomerge_core.limited.limits import MEMORY_STATUS, TOO_LONG, TOO_MUCH

_lock = threading.Lock()
_running: list[subprocess.Popen[bytes]] = []


class Refused(Exception):
    """A template or regular expression that failed or met a limit; as text, why, in one line."""


def work_out(work: str, **arguments: Any) -> Any:
    """What `worker` makes of the arguments, which are plain data. Raises `Refused`."""
    request = json.dumps({"work": work, "arguments": arguments}).encode() + b"\n"
    with _lock:
        process = _process()
        answer = _answer(process, request)
        if not answer.endswith(b"\n"):
            raise Refused(_why(_end(process)))
    found = json.loads(answer)
    if "refused" in found:
        raise Refused(found["refused"])
    return found["found"]


def _process() -> subprocess.Popen[bytes]:
    if _running and _running[0].poll() is not None:
        _end(_running[0])
    if not _running:
        # -P keeps the working folder, which may hold anything, off the module path; nothing here needs the hub's token.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "evomerge_core.limited.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=without_token(),
        )
        _running.append(process)
    return _running[0]


def _answer(process: subprocess.Popen[bytes], request: bytes) -> bytes:
    """The line that comes back; less than a line where the process ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.flush()
        return process.stdout.readline()
    except OSError:
        return b""


def _end(process: subprocess.Popen[bytes]) -> int:
    """Ends the process, which is then replaced when it is needed; returns its status."""
    _running.clear()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue
    return process.wait()


def _why(status: int) -> str:
    if status == -getattr(signal, "SIGPROF", 0) or (status == 1 and not hasattr(signal, "SIGPROF")):
        return TOO_LONG
    if status in (MEMORY_STATUS, -getattr(signal, "SIGKILL", 0)):
        return TOO_MUCH
    return f"it ended the process that worked it out (status {status})"


def _end_at_exit() -> None:
    for process in tuple(_running):
        process.kill()
        _end(process)


atexit.register(_end_at_exit)
