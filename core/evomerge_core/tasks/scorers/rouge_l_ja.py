"""ROUGE-L on Japanese words, as MeCab finds them: how Japanese answers about pictures are scored."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from evomerge_core.tasks.folded_text import fold
from evomerge_core.tasks.scorers.rouge_l import f1
from evomerge_core.tasks.scorers.scorer import Expected, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer

_EXTRA = "japanese"
_NEEDED = ("fugashi", "unidic_lite")


def _lacking() -> str:
    return "" if all(map(find_spec, _NEEDED)) else _EXTRA


@register("rouge_l_ja", lacking=_lacking)
def rouge_l_ja(answer: Answer, expected: Expected) -> float:
    """The F1 of the longest common subsequence of words, 0..1, for the best reference; MeCab cuts texts into words.

    Case, width (NFKC), runs of white space and emoji aren't compared, punctuation is. Needs the extra `evomerge-tui[japanese]`.
    """
    answered = words(answer.text)
    return max(f1(answered, words(reference)) for reference in expected.references)


def words(text: str) -> list[str]:
    """The words and signs of a text."""
    return _cutter()(_plain(text)).split()


def _plain(text: str) -> str:
    return "".join(character for character in fold(text) if unicodedata.category(character) not in ("So", "Cs"))


@lru_cache(maxsize=1)
def _cutter() -> Callable[[str], str]:
    from fugashi import Tagger

    cut: Callable[[str], str] = Tagger("-Owakati").parse
    return cut
