"""Match after SQuAD's normalisation."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from evomerge_core.tasks.folded_text import fold
from evomerge_core.tasks.scorers.scorer import Expected, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer


@register("normalized")
def normalized(answer: Answer, expected: Expected) -> float:
    """1 when the answer is a reference after `normalize`. For numbers use `final_number`: `1.5` and `15` are equal here."""
    return float(normalize(answer.text) in {normalize(reference) for reference in expected.references})


def normalize(text: str) -> str:
    """Case, width, punctuation and symbols, English articles and extra white space taken away.

    Source: SQuAD's `normalize_answer` (Rajpurkar et al. 2016), with Unicode's punctuation and symbols for ASCII's.
    """
    letters = "".join(character for character in fold(text) if unicodedata.category(character)[0] not in "PS")
    return fold(re.sub(r"\b(a|an|the)\b", " ", letters))
