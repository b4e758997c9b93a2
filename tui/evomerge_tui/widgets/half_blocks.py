"""A picture in any terminal that has colours: two pixels in each cell, the upper half block's colour and its background's."""

from __future__ import annotations

from typing import Any

from rich.color import Color
from rich.style import Style
from rich.text import Text

_UPPER = "\N{UPPER HALF BLOCK}"


def half_blocks(image: Any, columns: int, rows: int) -> Text:
    """A Pillow image of mode RGB, its shape kept, in at most so many cells."""
    width, height = image.size
    share = min(columns / width, 2 * rows / height)
    size = (max(1, round(width * share)), max(2, 2 * round(height * share / 2)))
    pixels = image.resize(size).load()
    drawn = Text(no_wrap=True, end="")
    for row in range(0, size[1], 2):
        for column in range(size[0]):
            upper, lower = (Color.from_rgb(*pixels[column, row + half]) for half in (0, 1))
            drawn.append(_UPPER, Style(color=upper, bgcolor=lower))
        if row + 2 < size[1]:
            drawn.append("\n")
    return drawn
