"""The last number of a text, however it is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from evomerge_core.tasks.scorers.scorer import Expected, needs_reference, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer

# Languages that write 1.234,5 for what English writes 1,234.5.
_DECIMAL_COMMA = frozenset({
    "bg", "ca", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "id", "is", "it", "lt", "lv", "nl", "nn", "no",
    "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi",
})  # fmt: skip
_MINUS = frozenset("\u2212\u2012\u2013\ufe63")
_SPACES = frozenset("\u00a0\u2007\u2009\u202f")
_ARABIC_MARKS = {"\u066b": ".", "\u066c": ","}
_MULTIPLIERS = {"百": 10**2, "千": 10**3, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}

_GROUPS = re.compile(r"(?<![0-9.,])([1-9][0-9]{0,2})((?:[ '’][0-9]{3})+)(?![0-9])")
_DIGITS = r"(?:[0-9]+(?:[.,][0-9]+)*|(?<![0-9])\.[0-9]+)"
_NUMBER = re.compile(
    rf"(?P<minus>(?<![0-9A-Za-z)\]}}])-[$€£¥₹]?)?(?P<digits>{_DIGITS}(?:/{_DIGITS})*)(?P<units>[{''.join(_MULTIPLIERS)}]*)"
)
# A number of more digits is a model that repeats itself.
_MOST_DIGITS = 300


def _fault(expected: Expected) -> str:
    for reference in expected.references:
        if not last_number(reference, expected.language):
            return f"no number in the answer {reference!r}; correct it or use another scorer"
    return needs_reference(expected)


@register("final_number", fault=_fault)
def final_number(answer: Answer, expected: Expected) -> float:
    """1 when the last number of the answer equals the last number of a reference; see `last_number` for what counts."""
    answered = last_number(answer.text, expected.language)
    return float(any(answered & last_number(reference, expected.language) for reference in expected.references))


def last_number(text: str, language: str = "") -> frozenset[Fraction]:
    """The value of the last number in a text: empty for none, two values where the writing has two readings.

    - Digits of every script count, full-width ones too; superscripts and circled digits don't (`m²`).
    - Thousands: groups of three after a comma, space or apostrophe, `1,234`, `1 234`, `1'234`, and India's `1,09,200`.
    - Decimals: a point, or a comma that isn't followed by exactly three digits, `3.5`, `3,5`. With both marks the last one
      is the decimal mark, `1.234,5`; a mark that occurs twice groups thousands, `1.234.567`.
    - In a language with decimal commas, `1.234` and `1,234` have two readings, and either may be meant.
    - A minus (any of Unicode's, also before a currency sign) counts when it touches the number and nothing that could be
      subtracted from stands before it: `-3` and `= -3`, but not `5-3`.
    - `3/4` is a fraction; 百, 千, 万, 億 and 兆 after a number multiply it, `8万`, `2万6000`.
    - What is left of marks fits no rule (`3,5,7`, `1.2.3`): the last run of digits counts.
    """
    matches = list(_NUMBER.finditer(_GROUPS.sub(_joined, _plain(text))))
    if not matches:
        return frozenset()
    values = _values(matches[-1], language)
    following = matches[-1]
    for match in reversed(matches[:-1]):
        if match.end() != following.start() or following["minus"]:
            break
        values = frozenset(value + more for value in values for more in _values(match, language))
        following = match
    return frozenset(-value for value in values) if following["minus"] else values


def _plain(text: str) -> str:
    return text if text.isascii() else "".join(_plain_character(character) for character in text)


def _plain_character(character: str) -> str:
    if character in _MINUS:
        return "-"
    if character in _SPACES:
        return " "
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(int(digit))
    if unicodedata.decomposition(character).startswith("<wide>"):
        return unicodedata.normalize("NFKC", character)
    return _ARABIC_MARKS.get(character, character)


def _joined(match: re.Match[str]) -> str:
    return re.sub(r"[^0-9]", "", match[0])


def _values(match: re.Match[str], language: str) -> frozenset[Fraction]:
    """The readings of one number without its sign."""
    parts = match["digits"].split("/")
    if any(len(part) > _MOST_DIGITS for part in parts):
        return frozenset()
    if len(parts) == 2 and all(part.isdigit() for part in parts) and int(parts[1]):
        return frozenset({Fraction(int(parts[0]), int(parts[1]))})
    factor = 1
    for unit in match["units"]:
        factor *= _MULTIPLIERS[unit]
    return frozenset(value * factor for value in _readings(parts[-1], decimal_comma=language in _DECIMAL_COMMA))


def _readings(digits: str, *, decimal_comma: bool) -> list[Fraction]:
    pieces = re.split(r"[.,]", digits)
    marks = [character for character in digits if character in ".,"]
    if not marks:
        return [Fraction(int(digits))]
    if len(marks) == 1:
        return _single_mark(pieces, marks[0], decimal_comma=decimal_comma)
    if len(set(marks)) == 1 and _grouped(pieces, marks[0]):
        return [Fraction(int("".join(pieces)))]
    if len(set(marks[:-1])) == 1 and marks[-1] != marks[0] and _grouped(pieces[:-1], marks[0]):
        return [_decimal(pieces)]
    return [Fraction(int(pieces[-1]))]


def _single_mark(pieces: Sequence[str], mark: str, *, decimal_comma: bool) -> list[Fraction]:
    if not _grouped(pieces, mark) or (mark == "." and not decimal_comma):
        return [_decimal(pieces)]
    thousands = Fraction(int("".join(pieces)))
    return [thousands, _decimal(pieces)] if decimal_comma else [thousands]


def _decimal(pieces: Sequence[str]) -> Fraction:
    return Fraction(f"{''.join(pieces[:-1]) or '0'}.{pieces[-1]}")


def _grouped(pieces: Sequence[str], mark: str) -> bool:
    """Whether the pieces are groups of thousands: 1 to 3 digits, then threes (twos before the last three in India)."""
    first, *middle, last = pieces
    sizes = {3, 2} if mark == "," else {3}
    return 1 <= len(first) <= 3 and first[0] != "0" and len(last) == 3 and all(len(piece) in sizes for piece in middle)
