"""The reference somewhere in the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evomerge_core.tasks.folded_text import fold
from evomerge_core.tasks.scorers.scorer import Expected, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer


@register("contains")
def contains(answer: Answer, expected: Expected) -> float:
    """1 when the answer holds a reference; case, width (NFKC) and runs of white space aren't compared."""
    text = fold(answer.text)
    return float(any(fold(reference) in text for reference in expected.references))
