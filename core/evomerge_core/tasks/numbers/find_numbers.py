"""The numbers in a text, in all the writings that people and models use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from evomerge_core.tasks.numbers.latex import UNREADABLE, without_latex
from evomerge_core.tasks.numbers.marked_digits import last_run, read_marked
from evomerge_core.tasks.numbers.plain_digits import plain_digits

# Languages that write 1.234,5 for what English writes 1,234.5.
_DECIMAL_COMMA = frozenset({
    "bg", "ca", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "id", "is", "it", "lt", "lv", "nl", "nn", "no",
    "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi",
})  # fmt: skip
_CHARACTERS = {"百": 10**2, "千": 10**3, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}
_WORDS = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "millions": 10**6, "tausend": 10**3, "millionen": 10**6,
    "mio": 10**6, "millón": 10**6, "millones": 10**6, "milliard": 10**9, "milliards": 10**9, "milliarde": 10**9,
    "milliarden": 10**9, "mrd": 10**9,
}  # fmt: skip
# Their cousins in other languages mean another number.
_ENGLISH_WORDS = {"billion": 10**9, "trillion": 10**12}
# A number of more digits is a model that repeats itself.
_MOST_DIGITS = 300

_GROUPS = re.compile(r"(?<![0-9.,])([1-9][0-9]{0,2})((?:[ '’_][0-9]{3})+)(?![0-9])")
_SPACED_MINUS = re.compile(r"(?<=[=≈($])(\s?-)\s(?=[0-9.])")
_DIGITS = r"(?:[0-9]+(?:[.,][0-9]+)*|(?<![0-9A-Za-z])\.[0-9]+)"
_NUMBER = re.compile(
    rf"""
    (?=[-.0-9{UNREADABLE}])
    (?:
      (?P<unreadable>{UNREADABLE})
      | (?P<minus>(?<![0-9A-Za-z)\]}}{UNREADABLE}])-[$€£¥₹]?)?
        (?:
          (?P<clock>[0-9]{{1,2}}[:：][0-5][0-9](?:[:：][0-5][0-9])?)(?![0-9:：])
          | (?<![A-Za-z])(?P<ratio>{_DIGITS}:{_DIGITS})(?!:)
          | (?P<mixed>[0-9]{{1,3}}[ ][0-9]+/[0-9]+)(?![0-9/])
          | (?P<digits>{_DIGITS}(?:[ ]?/[ ]?{_DIGITS})*)
            (?:
              [eE](?P<e>[+-]?[0-9]{{1,3}})(?![0-9A-Za-z])
              | [ ]?[×xX*·][ ]?10\^(?P<ten>\([+-]?[0-9]+\)|[+-]?[0-9]+)
              | \^(?P<power>\(-?[0-9]+\)|-?[0-9]+)
            )?
            (?P<characters>[{"".join(_CHARACTERS)}]*)
            (?:[ ]?(?P<word>(?i:{"|".join((*_WORDS, *_ENGLISH_WORDS))}))(?!\w))?
        )
        (?P<percent>[ ]?(?:%|percent(?!\w)))?
    )
    """,
    re.VERBOSE,
)
# What may stand between parts of one expression.
_JOINT = re.compile(r"[)\]]{0,3}\s?[-+×*·/÷^]?\s?[(\[]{0,3}")


@dataclass(frozen=True)
class Number:
    """A number of a text.

    `values` are its readings, several where the writing has several, none where it is no fraction of whole numbers (a root)
    or far too long. `asked` are those that it may stand for in an answer: "4 million" may answer how many million there are.
    `whole` is False where only a part of the writing was read (`3,5,7`). It is `text[start:end]` of the plain text.
    """

    values: frozenset[Fraction]
    asked: frozenset[Fraction]
    whole: bool
    start: int
    end: int


def plain_text(text: str) -> str:
    """A text as numbers are looked for in it: digits are ASCII's, LaTeX is plain, and thousands aren't spaced."""
    plain = _SPACED_MINUS.sub(r"\1", without_latex(plain_digits(text)))
    return _GROUPS.sub(lambda match: re.sub(r"[^0-9]", "", match[0]), plain)


def find_numbers(plain: str, language: str = "") -> list[Number]:
    """The numbers of a plain text in their order. What touches something unreadable is one unreadable number with it."""
    return _joined(_NUMBER.finditer(plain), plain, language)


def find_last(plain: str, language: str = "") -> Number | None:
    """The last of `find_numbers`; those that can't touch it aren't read."""
    matches = list(_NUMBER.finditer(plain))
    first = len(matches) - 1
    while first > 0 and _JOINT.fullmatch(plain, matches[first - 1].end(), matches[first].start()):
        first -= 1
    return _joined(matches[first:], plain, language)[-1] if matches else None


def _joined(matches: Iterable[re.Match[str]], plain: str, language: str) -> list[Number]:
    found: list[Number] = []
    chained = False
    for match in matches:
        number = _read(match, language)
        if chained and found[-1].end == number.start and not match["minus"]:
            # 2万6000 is one number
            number = _sum(found.pop(), number)
        chained = bool(match["characters"])
        found.append(number)
        while len(found) > 1 and _touch(found[-2], found[-1], plain):
            last = found.pop()
            found[-1] = Number(frozenset(), frozenset(), False, found[-1].start, last.end)
    return found


def _touch(left: Number, right: Number, plain: str) -> bool:
    unreadable = UNREADABLE in plain[left.start : left.end] or UNREADABLE in plain[right.start : right.end]
    return unreadable and _JOINT.fullmatch(plain, left.end, right.start) is not None


def _sum(left: Number, right: Number) -> Number:
    sign = -1 if any(value < 0 for value in left.values) else 1
    values = frozenset(one + sign * more for one, more in product(left.values, right.values))
    return Number(values, values, left.whole and right.whole, left.start, right.end)


def _read(match: re.Match[str], language: str) -> Number:
    values, whole = _unsigned(match, language)
    sign = -1 if match["minus"] else 1
    signed = frozenset(sign * value for value in values)
    if match["percent"]:
        signed |= {value / 100 for value in signed}
    factor = _word_factor(match, language)
    return Number(frozenset(value * factor for value in signed), signed | {v * factor for v in signed}, whole, *match.span())


def _word_factor(match: re.Match[str], language: str) -> int:
    word = (match["word"] or "").casefold()
    known = {**_WORDS, **_ENGLISH_WORDS} if language in ("", "en") else _WORDS
    return known.get(word, 1)


def _unsigned(match: re.Match[str], language: str) -> tuple[Iterable[Fraction], bool]:
    """The readings of one match without sign and words, and whether all of it was read."""
    if match["unreadable"] or any(len(part) > _MOST_DIGITS for part in re.split(r"[/:： %]", match[0])):
        return (), False
    if match["clock"]:
        return (_hours(match["clock"]),), True
    comma = language in _DECIMAL_COMMA
    if match["ratio"]:
        return _quotient(match["ratio"].split(":"), comma)
    if match["mixed"]:
        return _mixed(match["mixed"])
    values, whole = _quotient([part.strip() for part in match["digits"].split("/")], comma)
    factor = _factor(match)
    if factor is not None:
        return [value * factor for value in values], whole
    return _powers(values, int(match["power"].strip("()"))), whole


def _hours(clock: str) -> Fraction:
    """3:30 as 3.5: the larger unit, whichever it is."""
    return sum((Fraction(int(part), 60**place) for place, part in enumerate(re.split("[:：]", clock))), Fraction(0))


def _mixed(text: str) -> tuple[Iterable[Fraction], bool]:
    before, _, fraction = text.partition(" ")
    top, bottom = (int(part) for part in fraction.split("/"))
    if top < bottom:
        return (int(before) + Fraction(top, bottom),), True
    return _quotient(fraction.split("/"), comma=False)[0], False


def _quotient(parts: Sequence[str], comma: bool) -> tuple[Iterable[Fraction], bool]:
    read = [read_marked(part, decimal_comma=comma) for part in parts]
    last = read[-1] or (last_run(parts[-1]),)
    if len(parts) == 1:
        return last, bool(read[-1])
    if len(parts) > 2 or not all(read) or 0 in last:
        return last, False
    return [one / other for one, other in product(*read)], True


def _factor(match: re.Match[str]) -> Fraction | None:
    """What the digits are multiplied by; None where they have a power."""
    if match["power"]:
        return None
    factor = Fraction(1)
    for character in match["characters"] or "":
        factor *= _CHARACTERS[character]
    exponent = match["e"] or (match["ten"] or "").strip("()")
    if exponent:
        factor *= Fraction(10) ** max(-_MOST_DIGITS, min(_MOST_DIGITS, int(exponent)))
    return factor


def _powers(values: Iterable[Fraction], exponent: int) -> list[Fraction]:
    values = list(values)
    digits = max((len(str(value.numerator)) + len(str(value.denominator)) for value in values), default=0)
    if digits * abs(exponent) > 4 * _MOST_DIGITS or (exponent < 0 and 0 in values):
        return []
    return [value**exponent for value in values]
