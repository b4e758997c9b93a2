"""Digits with decimal and thousands marks: which numbers they may be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction


def read_marked(digits: str, *, decimal_comma: bool = False) -> tuple[Fraction, ...]:
    """The readings of digits with points and commas among them; none where the marks fit no rule (`3,5,7`).

    A point is a decimal mark, and so is a comma that isn't followed by exactly three digits. With both marks the last one is
    the decimal mark; a mark that occurs twice groups thousands. With `decimal_comma` a single mark before three digits has
    both readings.
    """
    pieces = re.split(r"[.,]", digits)
    marks = [character for character in digits if character in ".,"]
    if not marks:
        return (Fraction(int(digits)),)
    if len(marks) == 1:
        return _single_mark(pieces, marks[0], decimal_comma=decimal_comma)
    if len(set(marks)) == 1 and _grouped(pieces, marks[0]):
        return (Fraction(int("".join(pieces))),)
    if len(set(marks[:-1])) == 1 and marks[-1] != marks[0] and _grouped(pieces[:-1], marks[0]):
        return (_decimal(pieces),)
    return ()


def last_run(digits: str) -> Fraction:
    """The digits after the last mark, as a whole number."""
    return Fraction(int(re.split(r"[.,]", digits)[-1]))


def _single_mark(pieces: Sequence[str], mark: str, *, decimal_comma: bool) -> tuple[Fraction, ...]:
    if not _grouped(pieces, mark) or (mark == "." and not decimal_comma):
        return (_decimal(pieces),)
    thousands = Fraction(int("".join(pieces)))
    return (thousands, _decimal(pieces)) if decimal_comma else (thousands,)


def _decimal(pieces: Sequence[str]) -> Fraction:
    return Fraction(f"{''.join(pieces[:-1]) or '0'}.{pieces[-1]}")


def _grouped(pieces: Sequence[str], mark: str) -> bool:
    """Whether the pieces are groups of thousands: 1 to 3 digits, then threes (twos before the last three in India)."""
    first, *middle, last = pieces
    sizes = {3, 2} if mark == "," else {3}
    return 1 <= len(first) <= 3 and first[0] != "0" and len(last) == 3 and all(len(piece) in sizes for piece in middle)
