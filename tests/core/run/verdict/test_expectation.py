"""What was to be expected of a winner, in words."""

from __future__ import annotations

import pytest

from evomerge_core.run.view.expectation import expectation


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (
            {"search": 0.5, "validation": 0.583, "expected": 0.551},
            "validation 58.3 %, of which about 3 points are luck; expect about 55 % on new items",
        ),
        (
            {"validation": 0.5, "expected": 0.49},
            "validation 50.0 %, of which about 1 point is luck; expect about 49 % on new items",
        ),
        ({"validation": 0.5, "expected": 0.5}, "validation 50.0 %, next to nothing of it luck; expect about 50 % on new items"),
        ({}, None),
        (None, None),
    ],
)
def test_the_sentence(known: dict[str, float] | None, told: str | None) -> None:
    assert expectation(known) == told
