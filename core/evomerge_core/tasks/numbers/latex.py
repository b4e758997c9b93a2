"""LaTeX as plain text, so that its numbers can be read like any others."""

from __future__ import annotations

import re
from fractions import Fraction

from evomerge_core.tasks.numbers.marked_digits import read_marked

# Stands for what is no fraction of whole numbers, and makes the number that it touches unreadable: a root, π, a logarithm.
UNREADABLE = "\ue000"

_DEEPEST = 20  # nested braces
_BOXED = re.compile(r"\\f?boxed\s*(\{)?")
_ARGUMENT = r"\s*(?:\{([^{}]*)\}|([0-9]))"
_FRACTION = re.compile(rf"\\(?:[dtcsx]|nice)?frac{_ARGUMENT}{_ARGUMENT}")
# TeX's own way to write a fraction
_OVER = re.compile(
    r"\{([^{}]*)\\over(?![A-Za-z])((?:(?!\\over)[^{}])*)\}"
    r"|(?<![0-9A-Za-z.,}])([0-9]{1,300})\s*\\over(?![A-Za-z])\s*([0-9]{1,300})(?![0-9.,])"
)
_NO_NUMBER = re.compile(
    r"\\d?binom\s*\{[^{}]*\}\s*\{[^{}]*\}|\\sqrt\s*(?:\[[^\]]*\])?\s*(?:\{[^{}]*\}|[0-9A-Za-z])|\\overline\s*\{[^{}]*\}"
    r"|\\(?:pi|infty|pm|mp|log|ln|lg|exp|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sum|prod|int|lim)(?![A-Za-z])"
    r"|(?<![\u0370-\u03ff])π(?![\u0370-\u03ff])|[√∛∞±∓]"
)
_DEGREE = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree(?![A-Za-z])|°")
# What isn't shown, or is no part of the mathematics.
_ASIDE = re.compile(r"\\(?:tag|label|ref|eqref|cite|begin|end|color|[hv]space|[hv]?phantom)\*?\s*\{[^{}]*\}")
_COMMAND = re.compile(r"\\(?!(?:(?:[dtcsx]|nice)?frac|d?binom|sqrt|overline)(?![A-Za-z]))[A-Za-z]+\*?\s*\{([^{}]*)\}")
_GROUP = re.compile(r"(?<![A-Za-z0-9}\]^_\\])\{(?![^{}]*\\over(?![A-Za-z]))([^{}]*)\}")
_POWER = re.compile(r"\^\s*\{([^{}]*)\}")
_INDEX = re.compile(rf"_\s*\{{[^{{}}]*\}}|(?<=[A-Za-z){UNREADABLE}])_[0-9A-Za-z]+|(?<=[0-9])_[0-9](?![0-9])")
_ORDINAL = re.compile(r"(?<=[0-9])\^(?=(?:st|nd|rd|th)\b)")
_UNIT = re.compile(r"\s*(?:[A-Za-z][A-Za-z. ]+|[ghms])(?:\^[23])?\s*")
_PIECES = (
    (re.compile(r"\{([,.])\}"), r"\1"),
    (re.compile(r"\\!"), ""),
    (re.compile(r"\\\\"), "\n"),
    (re.compile(r"\\[,;:> ]|(?<=\S)~(?=\S)|\\(?:thin|med|thick)space(?![A-Za-z])|\\q?quad(?![A-Za-z])"), " "),
    (re.compile(r"\\([$%#&])"), r"\1"),
    (re.compile(r"\\\{"), "("),
    (re.compile(r"\\\}"), ")"),
    (re.compile(r"\\[()\[\]]"), " "),
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])"), ""),
    (re.compile(r"\\(?:times|cdot|ast)(?![A-Za-z])"), "×"),
    (re.compile(r"\\div(?![A-Za-z])"), "÷"),
    (re.compile(r"\\(?:leq?|geq?|leqslant|geqslant|lt|gt|neq?)(?![A-Za-z])"), "≤"),
)
# The exponent of a unit or a variable, and a unit whose exponent isn't raised (`m2`).
_EXPONENT = re.compile(r"(?<=[A-Za-z°])\s?\^\s?(?:\(-?[0-9]+\)|-?[0-9]+)")
_FLAT_EXPONENT = re.compile(r"(?<=[0-9])(\s?(?:[kcdm]?m|ft|in|mi|yd))[23](?![0-9A-Za-z])")
# A power of an unknown, a power with an unknown in it, a power of what stands in brackets.
_UNREADABLE_POWER = re.compile(
    r"(?<=[0-9])[enrxyz]\s?\^\s?(?:\([^()]{0,40}\)|-?[0-9A-Za-z]+)"
    r"|(?<=[0-9)\]])\s?\^\s?(?:-?[A-Za-z]+|\((?!-?[0-9]+\))[^()]{0,40}\))"
    r"|(?<=[)\]])\s?\^\s?(?:\(-?[0-9]+\)|-?[0-9]+)"
)


def boxed(text: str) -> str | None:
    r"""What the last `\boxed{...}` (or `\fbox`) holds, braces inside of it balanced; None where nothing is boxed."""
    boxes = list(_BOXED.finditer(text))
    if not boxes:
        return None
    found = boxes[-1]
    rest = text[found.end() :]
    if not found[1]:
        return re.split(r"[\s$]", rest.lstrip(), maxsplit=1)[0]
    depth = 1
    for place, character in enumerate(rest):
        escaped = place > 0 and rest[place - 1] == "\\"
        depth += 0 if escaped else (character == "{") - (character == "}")
        if not depth:
            return rest[:place]
    return rest


def without_latex(text: str) -> str:
    r"""The text with LaTeX's numbers written plainly: `\frac{3}{4}` as `3/4`, `9{,}500` as `9,500`, `10^{4}` as `10^4`.

    Units lose their exponents, other commands their names; `UNREADABLE` stands where there is a root or the like.
    """
    if "\\" in text or "{" in text:
        text = _without_braces(text)
    elif not text.isascii():
        text = _NO_NUMBER.sub(UNREADABLE, text)
    if "_" in text:
        text = _INDEX.sub(_index, text)
    if "^" in text:
        text = _EXPONENT.sub("", _UNREADABLE_POWER.sub(UNREADABLE, _ORDINAL.sub(" ", text)))
    return _FLAT_EXPONENT.sub(r"\1", text)


def _without_braces(text: str) -> str:
    text = _DEGREE.sub("°", _ASIDE.sub(" ", text))
    for pattern, plain in _PIECES:
        text = pattern.sub(plain, text)
    for _ in range(_DEEPEST):
        before = text
        text = _OVER.sub(r"\\frac{\1\3}{\2\4}", text)
        text = _NO_NUMBER.sub(UNREADABLE, _FRACTION.sub(_fraction, text))
        text = _GROUP.sub(r" \1 ", _COMMAND.sub(r"\1", _INDEX.sub(_index, _POWER.sub(_power, text))))
        if text == before:
            break
    return re.sub(r"\\[A-Za-z]+\*?|[\\{}]", " ", _NO_NUMBER.sub(UNREADABLE, text))


def _fraction(match: re.Match[str]) -> str:
    top, bottom = match[1] or match[2] or "", match[3] or match[4] or ""
    if _UNIT.fullmatch(top) and _UNIT.fullmatch(bottom):
        return f" {top} per {bottom} "
    values = [_value(top), _value(bottom)]
    if values[0] is None or not values[1]:
        return UNREADABLE
    value = values[0] / values[1]
    # after a digit it is the fraction of a mixed number
    mixed = match.start() > 0 and match.string[match.start() - 1].isdigit()
    return f"{' ' if mixed else ''}{value.numerator}/{value.denominator}"


def _value(text: str) -> Fraction | None:
    """The value of a number or a fraction; None for anything else."""
    match = re.fullmatch(r"\s*([+-]?)\s*\$?([0-9][0-9.,]{0,300}?)(?:/([0-9]{1,300}))?\s*", text)
    if match is None or re.search(r"[.,]$|[.,]{2}", match[2]):
        return None
    readings = read_marked(match[2])
    divisor = int(match[3] or 1)
    if not readings or not divisor:
        return None
    return readings[0] / divisor * (-1 if match[1] == "-" else 1)


def _power(match: re.Match[str]) -> str:
    exponent = match[1].strip()
    if re.fullmatch(r"[+-]?[0-9]+|st|nd|rd|th", exponent):
        return f"^{exponent.lstrip('+')}"
    return f"^{UNREADABLE}"


def _index(match: re.Match[str]) -> str:
    """An index of a number is the base that it is written in."""
    after_digit = match.start() > 0 and match.string[match.start() - 1].isdigit()
    return UNREADABLE if after_digit else ""
