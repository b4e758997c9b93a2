"""Why a search ended, in words."""

from __future__ import annotations

_REASONS = {
    "evaluations": "the budget of candidates was spent",
    "minutes": "its time was up",
    "flat": "all candidates scored alike",
}


def why_ended(reason: str) -> str:
    """The end of a sentence for a reason as the store keeps it; one that this version doesn't know stays as it is."""
    return _REASONS.get(reason, reason)
