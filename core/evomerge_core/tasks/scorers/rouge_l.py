"""ROUGE-L (Lin 2004): the longest common subsequence of answer and reference."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from evomerge_core.tasks.folded_text import fold
from evomerge_core.tasks.scorers.scorer import Expected, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer

# Han, kana and Hangul: text that isn't cut into words by spaces, or whose words carry their particles (Korean).
_CHARACTERS = r"[\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]"
_TOKEN = re.compile(rf"{_CHARACTERS}|(?:(?!{_CHARACTERS})\S)+")


@register("rouge_l")
def rouge_l(answer: Answer, expected: Expected) -> float:
    """The F1 of the longest common subsequence, 0..1, for the best reference.

    Japanese, Chinese and Korean characters are tokens of their own, everything else is words; case, width and punctuation
    aren't compared.
    """
    answered = tokens(answer.text)
    return max(f1(answered, tokens(reference)) for reference in expected.references)


def tokens(text: str) -> list[str]:
    """The tokens of a text."""
    # Marks stay: they are the vowel signs of Thai, Telugu or Bengali words.
    kept = (character if unicodedata.category(character)[0] in "LMN" else " " for character in fold(text))
    return _TOKEN.findall("".join(kept))


def f1(answered: Sequence[str], wanted: Sequence[str]) -> float:
    """The F1 of the longest common subsequence, 0..1."""
    common = common_subsequence(answered, wanted)
    return 2 * common / (len(answered) + len(wanted)) if common else 0.0


def common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    lengths = [0] * (len(second) + 1)
    for left in first:
        diagonal = 0
        for index, right in enumerate(second, start=1):
            above = lengths[index]
            lengths[index] = diagonal + 1 if left == right else max(above, lengths[index - 1])
            diagonal = above
    return lengths[-1]
