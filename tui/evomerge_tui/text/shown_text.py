"""Text from data - model names, answers, messages - made safe to show: it stays text, whatever it contains."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.visible_text import visible, visible_line


def one_line(text: str, limit: int = 400) -> str:
    """A text as one line: line breaks become a symbol, control characters and direction marks are escaped.

    Longer texts end in an ellipsis: a terminal has no use for 4,000 characters in a row.
    """
    return visible_line(text, most=limit)


def many_lines(text: str, limit: int = 20_000) -> str:
    """A text with its line breaks; what can't be shown is escaped."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "\n".join(visible(line.expandtabs(4)) for line in cut.replace("\r\n", "\n").split("\n"))


def short_path(path: Path) -> str:
    """A path from here or from the home folder, where it lies in one of them."""
    for start, sign in ((Path.cwd(), "."), (Path.home(), "~")):
        if path.is_relative_to(start):
            return f"{sign}/{path.relative_to(start)}" if path != start else sign
    return str(path)
