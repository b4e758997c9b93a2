"""Text from files, models and libraries made safe to show: what a terminal would obey is written out instead."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

# Characters that have no width of their own or change what stands around them: directions, joins of lines, halves of pairs.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Joiners and selectors that belong to emoji and to scripts that need them.
_ALLOWED = frozenset("\u200c\u200d\ufe0f")


def visible(text: str, *, keep: str = "") -> str:
    """The text with its control characters, direction marks and lone surrogates written out (`␛`, `\\u202e`).

    Characters in `keep` stay as they are, such as the line feeds of a text of many lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign if sign in keep else _shown(sign) for sign in text)


def visible_line(text: str, *, most: int) -> str:
    """The same in one line: line breaks become a symbol, and a text of more than `most` characters ends in an ellipsis."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return visible(cut.replace("\r\n", "\n").replace("\n", " ↵ ").replace("\t", " "))


def visible_json(value: Any, *, indent: int | None = None) -> str:
    """JSON whose texts a terminal can be given: what it would obey is written as JSON's own escapes, so nothing is lost."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign if sign == "\n" or visible(sign) == sign else json.dumps(sign)[1:-1] for sign in text)


def _shown(sign: str) -> str:
    if " " <= sign < "\x7f":
        return sign
    if unicodedata.category(sign) not in _HIDDEN or sign in _ALLOWED:
        return sign
    if sign < " ":
        return chr(0x2400 + ord(sign))
    return f"\\u{ord(sign):04x}" if sign <= "\uffff" else f"\\U{ord(sign):08x}"
