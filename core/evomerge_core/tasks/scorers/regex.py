"""A regular expression found in the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evomerge_core.tasks.folded_text import fold
from evomerge_core.tasks.scorers.scorer import Expected, needs_reference, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer


def _fault(expected: Expected) -> str:
    return needs_reference(expected) if expected.pattern is not None and expected.pattern.groups else ""


@register("regex", fault=_fault)
def regex(answer: Answer, expected: Expected) -> float:
    """1 when the pattern is found. With a group, the first group of the last match must be a reference.

    Group and reference are compared without case, width (NFKC) and runs of white space.
    """
    assert expected.pattern is not None
    matches = list(expected.pattern.finditer(answer.text))
    if not matches or not expected.pattern.groups:
        return float(bool(matches))
    found = fold(matches[-1].group(1) or "")
    return float(found in {fold(reference) for reference in expected.references})
