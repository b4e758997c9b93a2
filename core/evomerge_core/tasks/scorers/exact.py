"""Exact match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evomerge_core.tasks.scorers.scorer import Expected, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer


@register("exact")
def exact(answer: Answer, expected: Expected) -> float:
    """1 when the answer is a reference, character by character; white space at the ends isn't compared."""
    return float(answer.text.strip() in {reference.strip() for reference in expected.references})
