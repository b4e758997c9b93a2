"""Regular expressions in the limited process."""

from __future__ import annotations

import re


def compile_fault(expression: str) -> str:
    """Why a text is no regular expression, "" where it is one."""
    try:
        re.compile(expression)
    except (re.error, OverflowError) as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    return ""


def last_match(expression: str, text: str) -> tuple[str | None, ...] | None:
    """The last match in a text and its groups; None where there is no match."""
    found = None
    for match in re.finditer(expression, text):
        found = match
    return None if found is None else (found.group(0), *found.groups())


def matches_whole(expression: str, text: str) -> bool:
    """Whether the expression describes the whole text."""
    return re.fullmatch(expression, text) is not None
