"""The last number of a text, however it is written."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from evomerge_core.tasks.numbers.find_numbers import Number, find_last, find_numbers, plain_text
from evomerge_core.tasks.numbers.latex import UNREADABLE, boxed
from evomerge_core.tasks.scorers.scorer import Expected, needs_reference, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer

# Between a worked solution and its result, in GSM8K.
_RESULT = "####"
_ONE_NUMBER = "correct it, or use another scorer"
_SHOWN = 60
# Of a reference in characters: a worked solution is far shorter.
_LONGEST = 100_000

# What makes a text with one number something else: a comparison, an unknown, a pair.
_COMPARISON = re.compile(r"[≤≥≠]|(?:^|\s|(?<![A-Za-z</])[A-Za-z])[<>]=?\s*-?[0-9]|[0-9]\s*[<>]=?\s*[A-Za-z(]")
_UNKNOWN = re.compile(r"[eijnxyz](?![A-Za-z])|\s?(?:[-+*×^]\s?[A-Za-z]|/\s?[nxyz])(?![A-Za-z])")
_UNKNOWN_BEFORE = re.compile(r"(?<![A-Za-z])[A-Za-z]\s?[-+*×/^]\s?$")
_PAIR = re.compile(r"[(\[{]\s*-?[0-9.]+,[0-9.]+\s*[)\]}]")
# In a box an exclamation mark is no end of a sentence.
_FACTORIAL = re.compile(r"(?<=[0-9)}])!")
_SEVERAL_EQUATIONS = re.compile(r"[,;](?:\s|[A-Za-z])|\b(?:and|or)\b")


def _fault(expected: Expected) -> str:
    faults = (_reference_fault(reference, expected.language) for reference in expected.references)
    return next((fault for fault in faults if fault), needs_reference(expected))


@register("final_number", fault=_fault)
def final_number(answer: Answer, expected: Expected) -> float:
    r"""1 when the last number of the answer, or of its last `\boxed{...}`, equals the reference, which must be one number.
    Compared by value: `0.75`, `3/4` and `\frac{3}{4}`, `1,234` and `1.234,0`, `8万` and `8 × 10^4`, `$29.00` and `29`.
    """
    answered = last_number(answer.text, expected.language)
    return float(any(answered & _reference_values(reference, expected.language) for reference in expected.references))


def last_number(text: str, language: str = "") -> frozenset[Fraction]:
    r"""The value of the last number in a text: empty for none, two values where the writing has two readings.

    - What the last `\boxed{...}` holds goes before everything else.
    - Digits of every script count, full-width ones too; superscripts and circled digits don't (`m²`).
    - Thousands: groups of three after a comma, space or apostrophe, `1,234`, `1 234`, `1'234`, and India's `1,09,200`.
    - Decimals: a point, or a comma that isn't followed by exactly three digits, `3.5`, `3,5`. With both marks the last one
      is the decimal mark, `1.234,5`; a mark that occurs twice groups thousands, `1.234.567`.
    - In a language with decimal commas, `1.234` and `1,234` have two readings, and either may be meant.
    - A minus (any of Unicode's, also before a currency sign) counts when it touches the number and nothing that could be
      subtracted from stands before it: `-3` and `= -3`, but not `5-3`.
    - `3/4` is a fraction, `1 3/4` and `1¾` are mixed numbers, `3:30` is 3.5 (a time), `2:3` a ratio. `25%` has two
      readings, 25 and 0.25.
    - `1.5e3`, `3 × 10^4` and `2^10` are multiplied out, as are 百, 千, 万, 億 and 兆 after a number, `8万`, `2万6000`. With a
      word such as million, the number before it counts too: it may have been asked for in millions.
    - LaTeX: `\frac`, `9{,}500`, `5\,000`, `\times 10^{4}`, `\text{...}`, `\%`, `\$`, `^\circ`. Exponents of units aren't read.
    - A root, π, a logarithm, `±`, a factorial in a box, a power of an unknown or digits with a base (`101_2`), and whatever
      they are added to or multiplied by, have no value.
    - What is left of marks fits no rule (`3,5,7`, `1.2.3`): the last run of digits counts.
    """
    number = find_last(_final(text), language)
    return frozenset() if number is None else number.asked


def _reference_values(reference: str, language: str) -> frozenset[Fraction]:
    number = find_last(_result(reference), language)
    return frozenset() if number is None else number.values


def _result(reference: str) -> str:
    """Where the number of a reference stands: after GSM8K's mark, in the last box, else anywhere. As plain text."""
    # a minus at the beginning has nothing that it could subtract from
    return re.sub(r"^\s*-\s+", "-", _final(reference.rpartition(_RESULT)[2]))


def _final(text: str) -> str:
    """What the last box of a text holds, all of it where nothing is boxed; as plain text."""
    final = boxed(text)
    return plain_text(text if final is None else _FACTORIAL.sub(UNREADABLE, final))


def _reference_fault(reference: str, language: str) -> str:
    """Why a reference isn't one number; "" when it is. After an equals sign stands the result."""
    shown = repr(reference if len(reference) <= _SHOWN else f"{reference[:_SHOWN]}…")
    if len(reference) > _LONGEST:
        return f"the answer {shown} is {len(reference):,} characters long, too long for a number; {_ONE_NUMBER}"
    plain = _result(reference)
    numbers = find_numbers(plain, language)
    if not numbers:
        return f"no number in the answer {shown}; {_ONE_NUMBER}"
    left, equals, right = plain.rpartition("=")
    if equals and not _SEVERAL_EQUATIONS.search(left):
        numbers = [number for number in numbers if number.start > len(left)] or numbers
        plain = f"{' ' * (len(left) + 1)}{right}"
    if len({number.values for number in numbers}) > 1:
        return f"{len(numbers)} numbers in the answer {shown}, which must be one; {_ONE_NUMBER}"
    if not _is_number(numbers[-1], plain):
        return f"the answer {shown} isn't a number that can be read as a fraction or a decimal; {_ONE_NUMBER}"
    return ""


def _is_number(number: Number, plain: str) -> bool:
    if not number.whole or not number.values or UNREADABLE in plain:
        return False
    unknown = _UNKNOWN.match(plain, number.end) or _UNKNOWN_BEFORE.search(plain[: number.start])
    return not (unknown or _COMPARISON.search(plain) or _PAIR.search(plain))
