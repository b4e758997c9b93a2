"""How much of a busy processor a process gets: `low` leaves it to other programs, `normal` shares it equally."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import psutil

_NICE = 10


def lower(number: int) -> None:
    """Gives a process low priority, and all that it starts from now on; one whose priority is lower still keeps it.

    A process that has ended meanwhile is left alone.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(number)
        if sys.platform == "win32":
            if process.nice() != psutil.IDLE_PRIORITY_CLASS:
                process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        elif process.nice() < _NICE:
            process.nice(_NICE)


def lower_this_session() -> None:
    """Gives this process low priority, and its whole session where it leads one.

    Linux shares the processor between sessions first, where its autogroups are on: niceness alone then only counts within one.
    """
    lower(os.getpid())
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(_NICE))
