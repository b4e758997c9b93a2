"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Check:
    """`state`: ok; note, which costs speed or comfort; missing, without which something does not work.

    `found` says what is there, `remedy` is the command (or the deed) that mends it, empty when all is well.
    """

    name: str
    state: State
    found: str
    remedy: str = ""
