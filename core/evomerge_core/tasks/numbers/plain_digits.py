"""Text with Unicode's digits, spaces, dashes and fractions written as ASCII writes them."""

from __future__ import annotations

import re
import unicodedata

_MINUS = frozenset("\u2212\u2012\u2013\ufe63")
_SPACES = frozenset("\u00a0\u2007\u2009\u202f")
_MARKS = {"\u066b": ".", "\u066c": ",", "\u2044": "/", "\u2215": "/"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_POWER = re.compile(r"(?<=[0-9)])⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_FRACTION = re.compile(r"([0-9]?)([¼-¾⅐-⅞↉])")


def plain_digits(text: str) -> str:
    """Digits of every script as 0 to 9, full-width characters as usual ones, `½` as `1/2` (`2½` as `2 1/2`), `10⁴` as `10^4`.

    Superscripts that are no number's power (`m²`) and circled digits stay as they are.
    """
    if text.isascii():
        return text
    plain = "".join(_character(character) for character in text)
    plain = _POWER.sub(lambda power: f"^{power[0].translate(_SUPERSCRIPTS)}", plain)
    return _FRACTION.sub(_fraction, plain)


def _character(character: str) -> str:
    if character in _MINUS:
        return "-"
    if character in _SPACES:
        return " "
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(int(digit))
    # A full-width colon ends words such as "Answer"; only a time has one between digits.
    if character != "：" and unicodedata.decomposition(character).startswith("<wide>"):
        return unicodedata.normalize("NFKC", character)
    return _MARKS.get(character, character)


def _fraction(match: re.Match[str]) -> str:
    parts = unicodedata.normalize("NFKC", match[2]).replace("\u2044", "/")
    return f"{match[1]} {parts}" if match[1] else parts
