"""What is written to a terminal: text from files, models and libraries can't steer it.

`print`, argparse and logging write to the guarded streams. Tables and colours are written by `safe_console.SafeConsole`, whose
own sequences pass while the text between them is made visible.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO, cast

from evomerge_core.visible_text import visible

# What stays of the control characters.
KEPT = "\n\t"


class OutputEnded(OSError):
    """Standard output, or errors, can't be written: nobody reads them any more (`| head`), or a disk is full."""

    def __init__(self, reason: OSError, stream: TextIO) -> None:
        super().__init__(reason.errno, reason.strerror)
        self.is_unread = isinstance(reason, BrokenPipeError)
        self._stream = stream

    def __str__(self) -> str:
        name = "standard error" if self._stream is sys.__stderr__ else "standard output"
        return f"{name}: can't be written ({self.strerror}); have it go to another place"

    def let_it_end(self) -> None:
        """Lets what is still written there go nowhere, what Python writes at its end too."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


class _ToldStream:
    """A stream of text that raises OutputEnded where it can't be written; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputEnded(error, self._stream) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputEnded(error, self._stream) from error


class _GuardedStream(_ToldStream):
    """The same, and it writes control characters out."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.unguarded = cast(TextIO, _ToldStream(stream))

    def write(self, text: str) -> int:
        super().write(visible(text.replace("\r\n", "\n"), keep=KEPT))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


@contextlib.contextmanager
def guarded_output() -> Iterator[None]:
    """While it is open, standard output and errors are guarded; what was closed before (`>&-`) takes what is written."""
    streams = sys.stdout, sys.stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout, sys.stderr = (cast(TextIO, _GuardedStream(stream or nowhere)) for stream in streams)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams


def unguarded(stream: TextIO) -> TextIO:
    """The stream that a guarded one writes to, whose control characters pass; any other as it is."""
    return stream.unguarded if isinstance(stream, _GuardedStream) else stream
