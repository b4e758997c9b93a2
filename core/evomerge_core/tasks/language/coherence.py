"""What an answer shows of a model's soundness, whatever its score: does it repeat itself, change language, come to an end?"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from evomerge_core.tasks.language.detection import likeliest_language

REPEATING = 0.5  # the share of repeated 4-grams from which an answer counts as one that repeats itself
_GRAM = 4
_HOME_SHARE = 0.1
# Scripts that are written without spaces: each character is a word.
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


@dataclass(frozen=True)
class WrittenAnswer:
    """An answer: its text, and whether the token limit cut it off."""

    text: str
    truncated: bool


@dataclass(frozen=True)
class Signals:
    """Of `answers`: how many repeat themselves, were cut off, and (of the `worded` ones, which have letters) how many are in
    no expected language."""

    answers: int
    repeating: int
    unfinished: int
    worded: int
    foreign: int


def read_signals(answers: Sequence[WrittenAnswer], languages: Set[str]) -> Signals:
    """The signals of answers that are expected in one of `languages` (lid.176's codes)."""
    worded = [answer.text for answer in answers if any(character.isalpha() for character in answer.text)]
    return Signals(
        answers=len(answers),
        repeating=sum(repetition(answer.text) > REPEATING for answer in answers),
        unfinished=sum(answer.truncated for answer in answers),
        worded=len(worded),
        foreign=sum(likeliest_language(text) not in languages for text in worded),
    )


def home_languages(answers: Iterable[WrittenAnswer]) -> frozenset[str]:
    """The languages that a model answers in: those of at least a tenth of its answers."""
    found = Counter(likeliest_language(answer.text) for answer in answers)
    total = found.total()
    return frozenset(language for language, count in found.items() if language and count >= _HOME_SHARE * total)


def repetition(text: str) -> float:
    """The share of 4-grams that occurred before in the text, 0..1 (seq-rep-4, Welleck et al. 2019), of words, and of
    characters where the script has no spaces."""
    units = _units(text)
    grams = [tuple(units[i : i + _GRAM]) for i in range(len(units) - _GRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def _units(text: str) -> list[str]:
    units: list[str] = []
    for word in text.split():
        if any(unicodedata.name(character, "").startswith(_UNSPACED) for character in word):
            units += word
        else:
            units.append(word)
    return units
