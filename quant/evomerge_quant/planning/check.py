"""One line of a preflight checklist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evomerge_core.errors import InputError

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class PreflightCheck:
    """`subject` is what was looked at, `text` what was seen, `remedy` what to do about a warning or problem."""

    subject: str
    state: State
    text: str
    remedy: str = ""


def ok(subject: str, text: str) -> PreflightCheck:
    return PreflightCheck(subject, "ok", text)


def warning(subject: str, text: str, remedy: str) -> PreflightCheck:
    return PreflightCheck(subject, "warning", text, remedy)


def problem(subject: str, text: str, remedy: str) -> PreflightCheck:
    return PreflightCheck(subject, "problem", text, remedy)


def refused(subject: str, error: InputError) -> PreflightCheck:
    """The problem that an error reports."""
    return PreflightCheck(subject, "problem", error.fault, error.remedy)
