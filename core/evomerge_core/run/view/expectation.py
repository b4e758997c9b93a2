"""What was to be expected of a winner before the test was looked at, in words."""

from __future__ import annotations

from collections.abc import Mapping

# Less luck than this is not worth a number.
_LITTLE = 0.005


def expectation(known: Mapping[str, float] | None) -> str | None:
    """`validation 58.3 %, of which about 3 points are luck; expect about 55 % on new items`.

    `known` are the scores that `RunFacts.expected` has for a precision; None where it has none, as in runs of earlier versions.
    """
    if not known or "expected" not in known:
        return None
    validation, expected = known["validation"], known["expected"]
    luck = validation - expected
    part = "next to nothing of it luck" if luck < _LITTLE else f"of which about {_points(luck)} luck"
    return f"validation {100 * validation:.1f} %, {part}; expect about {100 * expected:.0f} % on new items"


def _points(share: float) -> str:
    points = round(100 * share)
    return "1 point is" if points == 1 else f"{points} points are"
