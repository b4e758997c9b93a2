"""Digits as strokes, and pictures of four coloured cards with a digit each: drawn with Pillow, without a font."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIZE = 128  # pixels of a picture's side
_CARD = SIZE // 2
_Point = tuple[float, float]
# Strokes in a box 4 wide and 6 high, from its upper left corner.
_SIX = (
    (3.6, 0.4), (2.4, 0), (1, 0.7), (0.2, 2.4), (0, 4.3), (0.8, 5.6), (2, 6), (3.2, 5.6), (4, 4.4), (3.3, 3.1), (2, 2.7),
    (0.8, 3.2), (0, 4.3),
)  # fmt: skip
_STROKES: tuple[tuple[tuple[_Point, ...], ...], ...] = (
    (((1, 0), (3, 0), (4, 1.2), (4, 4.8), (3, 6), (1, 6), (0, 4.8), (0, 1.2), (1, 0)),),
    (((0.8, 1.4), (2.2, 0), (2.2, 6)), ((0.8, 6), (3.6, 6))),
    (((0, 1.4), (0.8, 0.2), (2, 0), (3.2, 0.2), (4, 1.4), (3.8, 2.4), (0, 6), (4, 6)),),
    (
        ((0, 0.8), (1.2, 0), (3, 0), (3.9, 1), (3.8, 2.1), (2.8, 2.9), (1.4, 2.9)),
        ((2.8, 2.9), (4, 3.8), (4, 5), (3, 6), (1, 6), (0, 5.2)),
    ),
    (((3, 6), (3, 0), (0, 4.2), (4, 4.2)),),
    (((3.8, 0), (0.5, 0), (0.3, 2.7), (2.2, 2.4), (3.6, 3), (4, 4.2), (3.4, 5.5), (2, 6), (0.8, 5.9), (0, 5.2)),),
    (_SIX,),
    (((0, 0), (4, 0), (1.6, 6)),),
    (
        ((2, 2.8), (0.7, 2.2), (0.5, 1), (1.3, 0.1), (2.7, 0.1), (3.5, 1), (3.3, 2.2), (2, 2.8)),
        ((2, 2.8), (0.4, 3.6), (0, 4.8), (1, 6), (3, 6), (4, 4.8), (3.6, 3.6), (2, 2.8)),
    ),
    (tuple((4 - x, 6 - y) for x, y in _SIX),),
)
_DARK, _LIGHT = (25, 25, 25), (240, 240, 240)
# Each colour's card, and the ink on it.
PAINTS = {
    "red": ((205, 35, 40), _LIGHT),
    "blue": ((40, 75, 200), _LIGHT),
    "green": ((30, 140, 60), _LIGHT),
    "yellow": ((245, 210, 40), _DARK),
    "purple": ((130, 50, 150), _LIGHT),
    "white": ((245, 245, 245), _DARK),
    "black": ((30, 30, 30), _LIGHT),
}


def draw_cards(cards: Sequence[tuple[str, int]], rng: random.Random) -> Image:
    """A picture of four cards, (colour, digit), a row of two above another. `rng` moves cards, digits and shades a little."""
    from PIL import Image, ImageDraw

    table = rng.randint(140, 190)
    picture = Image.new("RGB", (SIZE, SIZE), _shade((table, table - 10, table - 25), rng))
    pen = ImageDraw.Draw(picture)
    for place, (colour, digit) in enumerate(cards):
        _draw_card(pen, _CARD * (place % 2), _CARD * (place // 2), colour, digit, rng)
    return picture


def _draw_card(pen: ImageDraw, left: int, top: int, colour: str, digit: int, rng: random.Random) -> None:
    width, height = rng.randint(42, 58), rng.randint(48, 60)
    x, y = left + rng.randint(2, _CARD - width - 2), top + rng.randint(2, _CARD - height - 2)
    paint, ink = PAINTS[colour]
    pen.rounded_rectangle((x, y, x + width, y + height), radius=6, fill=_shade(paint, rng))
    unit = height * rng.uniform(0.55, 0.72) / 6
    middle = (x + width / 2 + rng.uniform(-3, 3), y + height / 2 + rng.uniform(-3, 3))
    _draw_digit(pen, digit, middle, unit, slant=rng.uniform(-0.15, 0.15), thickness=rng.randint(4, 7), ink=ink)


def _draw_digit(
    pen: ImageDraw, digit: int, middle: _Point, unit: float, *, slant: float, thickness: int, ink: tuple[int, int, int]
) -> None:
    radius = thickness / 2
    for stroke in _STROKES[digit]:
        points = [(middle[0] + unit * (x - 2 - slant * (y - 3)), middle[1] + unit * (y - 3)) for x, y in stroke]
        pen.line(points, fill=ink, width=thickness, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def _shade(colour: tuple[int, int, int], rng: random.Random) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, part + rng.randint(-10, 10))) for part in colour)
    return red, green, blue
