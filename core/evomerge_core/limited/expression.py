"""Regular expressions from files: Python's own, in a process with limits, since some take for ever."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.limited.limited_process import Refused, work_out
from evomerge_core.limited.matching import compile_fault

_LONGEST = 10_000
# Characters with which no expression takes a second to be compiled: sets such as `[^a]`, without regard to case, take long.
_QUICK = 200
# Names and dots, at the end of a path too, can't take long: no process is needed for them.
_PLAIN = re.compile(r"[\w.]*|\(\.\*\\\.\)\?\([\w.]*\)")
_REMEDY = "write it without repeats inside of repeats"


class SlowExpression(InputError):
    """A regular expression that takes too long on a text."""


def fault_of(expression: str) -> str:
    """Why a text is no regular expression, "" where it is one."""
    if len(expression) > _LONGEST:
        return f"it has more than {_LONGEST:,} characters"
    if len(expression) <= _QUICK:
        return compile_fault(expression)
    try:
        return str(work_out("compile_fault", expression=expression))
    except Refused as reason:
        return str(reason)


def last_match(expression: str, text: str) -> tuple[str | None, ...] | None:
    """The last match in a text and its groups; None without a match. SlowExpression where it takes too long."""
    found = _worked_out("last_match", expression, text)
    return None if found is None else tuple(found)


@lru_cache(maxsize=100_000)
def matches_whole(expression: str, text: str) -> bool:
    """Whether the expression describes the whole text. SlowExpression where it takes too long."""
    if _PLAIN.fullmatch(expression):
        return re.fullmatch(expression, text) is not None
    return bool(_worked_out("matches_whole", expression, text))


def _worked_out(work: str, expression: str, text: str) -> Any:
    try:
        return work_out(work, expression=expression, text=text)
    except Refused as reason:
        shown = expression if len(expression) < 100 else f"{expression[:97]}..."
        problem = f"the regular expression {shown!r} fails on a text of {len(text):,} characters ({reason})"
        raise SlowExpression(problem, remedy=_REMEDY) from None
