"""Output that goes to a file or a pipe is UTF-8, whatever Windows' code page is."""

from __future__ import annotations

import io
import sys


def write_utf8() -> None:
    """A terminal keeps its own encoding, and shows `?` for what it hasn't got."""
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper) or stream.encoding.lower().replace("-", "") == "utf8":
            continue
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8")
