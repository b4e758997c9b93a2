"""Text from data - model names, answers, messages - made safe to show: it stays text, whatever it contains."""

from __future__ import annotations

import unicodedata

# Characters that have no width of their own or change what stands around them: directions, joins of lines.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Joiners and selectors that belong to emoji and to scripts that need them.
_ALLOWED = frozenset("\u200c\u200d\ufe0f")


def one_line(text: str, limit: int = 400) -> str:
    """A text as one line: line breaks become a symbol, control characters and direction marks are escaped.

    Longer texts end in an ellipsis: a terminal has no use for 4,000 characters in a row.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(_shown(sign) for sign in cut.replace("\r\n", "\n").replace("\n", " ↵ ").replace("\t", " "))


def many_lines(text: str, limit: int = 20_000) -> str:
    """A text with its line breaks; what can't be shown is escaped."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "\n".join("".join(_shown(sign) for sign in line.expandtabs(4)) for line in cut.replace("\r\n", "\n").split("\n"))


def _shown(sign: str) -> str:
    if sign < "\x7f" and sign >= " ":
        return sign
    if unicodedata.category(sign) not in _HIDDEN or sign in _ALLOWED:
        return sign
    if sign < " ":
        return chr(0x2400 + ord(sign))
    return f"\\u{ord(sign):04x}"
