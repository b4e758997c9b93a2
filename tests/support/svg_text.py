"""A small comparer of screens as SVG, as rich exports them: same signs in the same places in the same styles."""

from __future__ import annotations

import difflib
import html
import re

_ID = re.compile(r"terminal-\d+")
_TEXT = re.compile(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')


def normalised(svg: str) -> str:
    """Without the number that rich makes of the content."""
    return _ID.sub("terminal", svg)


def text_of(svg: str) -> list[str]:
    """The lines of text, signs in their places."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for x, y, content in _TEXT.findall(svg):
        lines.setdefault(float(y), []).append((float(x), html.unescape(content).replace("\xa0", " ")))
    return ["".join(text for _, text in sorted(lines[y])).rstrip() for y in sorted(lines)]


def difference(expected: str, found: str) -> str:
    """What differs, as text; an empty string when the pictures are the same."""
    if normalised(expected) == normalised(found):
        return ""
    lines = list(difflib.unified_diff(text_of(expected), text_of(found), "expected", "found", lineterm="", n=1))
    return "\n".join(lines) or "the text is the same, but its colours or styles are not"
