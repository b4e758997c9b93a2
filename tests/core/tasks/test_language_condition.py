"""The language condition, with the model that the package carries."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.language.detection import check_language, is_language, language_probability


@contextmanager
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("the language model must not be downloaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("答えは12です。", "ja"),
        ("5個と7個を足すと12個になります。\n\n答えは12です。\n", "ja"),
        ("答えは\r\n１２\u3000です。", "ja"),
        ("The answer is 12.", "en"),
        ("THE ANSWER IS 12.", "en"),
        ("Die Antwort ist 12.", "de"),
        ("La réponse est 12.", "fr"),
        ("คำตอบคือ 12", "th"),
        ("সে ১২টি ডিম পায়, তাই উত্তর হল ১২।", "bn"),
    ],
)
def test_sentences_are_in_their_language_and_in_no_other(text: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with _no_network(monkeypatch):
        assert is_language(text, language)
        assert not any(is_language(text, other) for other in {"ja", "en", "de", "fr", "zh", "th", "bn"} - {language})


@pytest.mark.parametrize("text", ["", " \n", "12", "１２", "#### 12", "3 + 4 = 7。", "。。。", "$12!"])
@pytest.mark.parametrize("language", ["ja", "en", "zh"])
def test_a_text_without_letters_is_in_no_language(text: str, language: str) -> None:
    assert language_probability(text, language) == 0.0


def test_an_english_answer_before_a_japanese_one_counts_by_probability() -> None:
    mixed = "The answer is 12. " * 5 + "答えは12です。"
    assert 0 < language_probability(mixed, "ja") < language_probability("答えは12です。", "ja") <= 1


def test_an_unknown_code_is_refused() -> None:
    check_language("ja", key="sums: language")
    with pytest.raises(InputError, match=r"^sums: language: unknown language code 'jp'"):
        check_language("jp", key="sums: language")
