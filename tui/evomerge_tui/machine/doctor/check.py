"""The outcome of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Check:
    """`state`: ok; note, which costs speed or convenience; missing, when something does not work.

    `found` says what is there, `remedy` is the command (or action) that fixes it, empty when nothing needs fixing.
    """

    name: str
    state: State
    found: str
    remedy: str = ""
