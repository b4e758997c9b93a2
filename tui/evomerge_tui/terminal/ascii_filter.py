"""What `--no-unicode` does: only ASCII reaches the terminal, whatever is drawn, cell for cell."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = {
    "│": "|", "┃": "|", "║": "|", "╎": ":", "┆": ":", "╵": "'", "╷": ".", "▏": "|", "▎": "|", "▍": "|", "▌": "|", "▕": "|",
    "▐": "|", "─": "-", "━": "=", "═": "=", "╌": "-", "┄": "-", "┈": ".", "╴": "-", "╶": "-", "▁": "_", "▔": "-", "⎯": "-",
    "▂": ".", "▃": ".", "▄": ":", "▅": ":", "▆": "#", "▇": "#",
    "█": "#", "▀": "'", "▊": "#", "▋": "#", "▉": "#", "░": ".", "▒": ":",
    "▓": "%", "●": "*", "○": "o", "◐": "o", "◌": ".", "■": "#", "□": ".", "◆": "*", "▲": "^", "▼": "v", "▶": ">", "✓": "v",
    "✗": "x", "✕": "x", "×": "x", "·": ".", "•": "*", "…": "~", "›": ">", "‹": "<", "→": ">", "←": "<", "↑": "^", "↓": "v",
    "↵": "/", "±": "~", "–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "é": "e", "≥": ">", "≤": "<", "∅": "0",
    "⏎": "/", "⚠": "!", "ℹ": "i", "Δ": "d", "σ": "s", "◉": "@",
}  # fmt: skip


class AsciiOnly(LineFilter):
    """Replaces each character outside ASCII with a similar one of the same width in cells."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


def to_ascii(text: str) -> str:
    """The same text in ASCII, of the same width in cells."""
    return text if text.isascii() else "".join(_ascii(sign) for sign in text)


def _ascii(sign: str) -> str:
    if sign.isascii():
        return sign
    if sign in _SIGNS:
        return _SIGNS[sign]
    if "\u2500" <= sign <= "\u257f":
        return "+"
    if "\u2800" <= sign <= "\u28ff":
        return _braille(sign)
    if "\u2580" <= sign <= "\u259f":
        return "#"
    return "?" * cell_len(sign)


def _braille(sign: str) -> str:
    """A character by whether the dots lie high or low."""
    dots = ord(sign) - 0x2800
    if not dots:
        return " "
    if dots & 0b11100100 == dots:
        return "."
    return "'" if dots & 0b00011011 == dots else ":"
