"""What is written to a terminal: text from files, models and libraries can't steer it.

`print`, argparse and logging write to the guarded streams. Tables and colours are written by `safe_console.SafeConsole`, whose
own sequences pass while the text between them is made visible.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

from evomerge_core.visible_text import visible

# What stays of the control characters.
KEPT = "\n\t"


class _GuardedStream:
    """A stream of text that writes control characters out; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)

    def write(self, text: str) -> int:
        self.unguarded.write(visible(text.replace("\r\n", "\n"), keep=KEPT))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


@contextlib.contextmanager
def guarded_output() -> Iterator[None]:
    """While it is open, standard output and errors are guarded."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, _GuardedStream(stream)) for stream in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


def unguarded(stream: TextIO) -> TextIO:
    """The stream that a guarded one writes to; any other as it is."""
    return stream.unguarded if isinstance(stream, _GuardedStream) else stream
