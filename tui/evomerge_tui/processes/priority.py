"""How much of a busy processor a process gets: with low priority, other programs come first."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import psutil

_NICE = 10


def lower(number: int) -> None:
    """Gives low priority to a process and all that it starts from now on; a process with an even lower priority keeps it.

    A process that has already ended is ignored.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(number)
        if sys.platform == "win32":
            if process.nice() != psutil.IDLE_PRIORITY_CLASS:
                process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        elif process.nice() < _NICE:
            process.nice(_NICE)


def lower_this_session() -> None:
    """Gives low priority to this process, and to its whole session where it leads one.

    With autogroups on, Linux shares the processor between sessions first: niceness alone then counts within one session only.
    """
    lower(os.getpid())
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(_NICE))
