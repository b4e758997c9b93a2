"""Text as it is compared: without case, width and white space."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """NFKC, case folded, white space collapsed to single spaces, none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
