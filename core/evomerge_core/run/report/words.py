"""Names and numbers as a report's Markdown has them."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """A name or message in one line that Markdown takes as text."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))


def percent(share: float) -> str:
    """A share of 1 as a percentage with one decimal."""
    return f"{100 * share:.1f} %"
