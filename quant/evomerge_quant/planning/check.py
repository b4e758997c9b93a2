"""One line of a preflight checklist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Check:
    """`subject` is what was looked at, `text` what was seen, `remedy` what to do about a warning or problem."""

    subject: str
    state: State
    text: str
    remedy: str = ""


def ok(subject: str, text: str) -> Check:
    return Check(subject, "ok", text)


def warning(subject: str, text: str, remedy: str) -> Check:
    return Check(subject, "warning", text, remedy)


def problem(subject: str, line: str) -> Check:
    """A problem out of an error's one line, whose remedy stands after its last semicolon or colon."""
    found = re.match(r"(.*)(?:; |: )(.*)", line, re.DOTALL)
    return Check(subject, "problem", found[1], found[2]) if found else Check(subject, "problem", line)
