"""Names and numbers as a report's Markdown has them."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """A name or message in one line that Markdown takes as text."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))


def percent(share: float) -> str:
    """A share of 1 as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def code(text: str) -> str:
    """A name as Markdown's code in a line; nothing inside can end it."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def fenced(text: str, language: str) -> list[str]:
    """The lines of a block of code, between fences that are longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *text.rstrip().splitlines(), fence]
