"""A picture as half blocks: its colours where they belong, its shape kept."""

from __future__ import annotations

import pytest
from PIL import Image

from evomerge_tui.widgets.half_blocks import half_blocks


def test_each_cell_has_two_pixels() -> None:
    image = Image.new("RGB", (2, 4))
    colours = [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (9, 9, 9)], [(1, 2, 3), (4, 5, 6)], [(7, 8, 9), (200, 100, 50)]]
    for y, line in enumerate(colours):
        for x, colour in enumerate(line):
            image.putpixel((x, y), colour)
    drawn = half_blocks(image, 2, 2)
    assert drawn.plain == "▀▀\n▀▀"
    cells = [(span.style.color.triplet, span.style.bgcolor.triplet) for span in drawn.spans]  # type: ignore[union-attr]
    assert cells == [(colours[y][x], colours[y + 1][x]) for y in (0, 2) for x in (0, 1)]


@pytest.mark.parametrize(
    ("size", "cells"), [((400, 100), (40, 5)), ((100, 400), (6, 12)), ((1, 5000), (1, 12)), ((3, 1), (40, 7))]
)
def test_the_shape_is_kept_within_the_room(size: tuple[int, int], cells: tuple[int, int]) -> None:
    lines = half_blocks(Image.new("RGB", size), 40, 12).plain.split("\n")
    assert (len(lines[0]), len(lines)) == cells
