"""What a terminal would obey is written out, and nothing else changes."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evomerge_core.errors import InputError
from evomerge_core.visible_text import visible, visible_json, visible_line

COMMANDS = {
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "clear": "\x1b[2J\x1b[H",
    "eight bits": "\x9b2J\x9d0;title\x9c",
    "bell and backspace": "\x07\b\b",
    "directions": "\u202eexe.txt\u2066\u2069\u061c",
    "half a pair": "\ud83d",
    "tags": "\U000e0041",
}


@pytest.mark.parametrize("text", COMMANDS.values(), ids=COMMANDS)
def test_commands_to_a_terminal_become_text(text: str) -> None:
    shown = visible(f"before {text} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert {unicodedata.category(sign) for sign in shown}.isdisjoint({"Cc", "Cf", "Cs"})
    shown.encode()


@pytest.mark.parametrize("text", ["答えは 4 です。", "größe naïve", "👩‍🔬👍🏽❤️", "می‌خواهم", "plain"])
def test_writing_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_kept_characters_stay_and_a_line_has_none() -> None:
    assert visible("a\nb\x1bc", keep="\n") == "a\nb␛c"
    assert visible_line("a\r\nb\nc\td", most=100) == "a ↵ b ↵ c d"
    assert visible_line("x" * 50, most=10) == "x" * 9 + "…"


@given(st.recursive(st.text() | st.characters(categories=["Cc", "Cf", "Cs"]), lambda inner: st.lists(inner, max_size=3)))
def test_json_loses_nothing(value: object) -> None:
    shown = visible_json({"value": value})
    assert json.loads(shown) == {"value": value}
    assert visible(shown) == shown


@pytest.mark.parametrize("text", COMMANDS.values(), ids=COMMANDS)
def test_an_error_is_one_line_whatever_it_quotes(text: str) -> None:
    line = str(InputError(f"unknown {text}\nsecond", where=f"file {text}", remedy=f"write {text}"))
    assert visible(line) == line
    assert "second" in line


def test_an_error_about_a_name_of_a_megabyte_can_be_read() -> None:
    assert len(str(InputError("x" * 10**6, where="file", remedy="shorten it"))) < 10_000
