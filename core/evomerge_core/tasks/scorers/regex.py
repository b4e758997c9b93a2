"""A regular expression found in the answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evomerge_core.limited.expression import last_match
from evomerge_core.tasks.folded_text import fold
from evomerge_core.tasks.scorers.scorer import Expected, needs_reference, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer


def _fault(expected: Expected) -> str:
    return needs_reference(expected) if expected.pattern is not None and re.compile(expected.pattern).groups else ""


@register("regex", fault=_fault)
def regex(answer: Answer, expected: Expected) -> float:
    """1 when the pattern is found. With a group, the first group of the last match must be a reference.

    Group and reference are compared without case, width (NFKC) and runs of white space.
    """
    assert expected.pattern is not None
    match = last_match(expected.pattern, answer.text)
    if match is None or len(match) == 1:
        return float(match is not None)
    return float(fold(match[1] or "") in {fold(reference) for reference in expected.references})
