"""A process's standard input, read where no library meets it."""

from __future__ import annotations

import os


def take_input() -> int:
    """A file descriptor of the standard input, which is an empty one for everybody else from now on.

    On Windows a read that waits at a pipe holds up whoever asks the same handle what it is, and numpy's and torch's libraries
    ask when they are loaded: a process that waits for requests in one thread would never load them in another.
    """
    own = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return own
