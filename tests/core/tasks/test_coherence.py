"""Signals of answers: repetition, languages, endings."""

from __future__ import annotations

import pytest

from evomerge_core.tasks.language.coherence import WrittenAnswer, home_languages, read_signals, repetition
from evomerge_core.tasks.language.detection import likeliest_language
from evomerge_core.tasks.language.neutral_texts import TEXTS, neutral_questions

ENGLISH = ["The answer is 12 apples.", "She has seven books left.", "He paid four dollars for it.", "There are nine birds."]
JAPANESE = ["答えは12個のりんごです。", "彼女には本が7冊残っています。", "彼は4ドル払いました。", "鳥が9羽います。"]


def said(texts: list[str], truncated: bool = False) -> list[WrittenAnswer]:
    return [WrittenAnswer(text, truncated) for text in texts]


def test_repetition_is_the_share_of_4_grams_that_came_before() -> None:
    # a b c d e: abcd, bcde; then the same again makes 7 grams, 2 of them seen before
    assert repetition("a b c d e") == 0.0
    assert repetition("a b c d e a b c d e") == pytest.approx(2 / 7)
    assert repetition("yes " * 20) == pytest.approx(16 / 17)
    assert repetition("too short") == 0.0


def test_scripts_without_spaces_count_characters() -> None:
    assert repetition("はい" * 10) > 0.8
    assert repetition(JAPANESE[0]) == 0.0
    assert repetition("ตลาด" * 8) > 0.7


def test_signals_count_answers() -> None:
    answers = [*said(ENGLISH), *said(["no no no no no no no no"], truncated=True), *said([JAPANESE[1]]), *said(["42"])]
    signals = read_signals(answers, frozenset({"en"}))
    assert (signals.answers, signals.repeating, signals.unfinished, signals.worded) == (7, 1, 1, 6)
    assert signals.foreign >= 1
    assert read_signals(said(["42", "-7", "3.5"]), frozenset({"en"})).foreign == 0


def test_home_languages_are_those_that_a_tenth_of_the_answers_is_in() -> None:
    assert home_languages(said(ENGLISH * 5 + JAPANESE[:1])) == {"en"}
    assert home_languages(said(ENGLISH + JAPANESE)) == {"en", "ja"}
    assert home_languages([]) == frozenset()


@pytest.mark.parametrize(("language", "texts"), TEXTS.items())
def test_neutral_texts_are_in_the_language_that_they_stand_under(language: str, texts: tuple[tuple[str, str], ...]) -> None:
    """The oracle is fastText's lid.176."""
    for opening, rest in texts:
        assert likeliest_language(opening) == likeliest_language(rest) == language


def test_neutral_questions_generate_nothing_and_fall_back_on_english() -> None:
    asked = neutral_questions({"ja", "en"})
    assert {language for language, _ in asked} == {"ja", "en"}
    assert all(question.gold and question.max_new_tokens == 0 for question in asked.values())
    assert {language for language, _ in neutral_questions({"sw"})} == {"en"}
