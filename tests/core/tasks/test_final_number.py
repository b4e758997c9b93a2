"""The last number of a text, in the writings that models and people use."""

from __future__ import annotations

from fractions import Fraction

import pytest

from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.scorers.final_number import last_number
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.scorers.scorer import Expected

ONE_READING = [
    ("The answer is 12.", "12"),
    ("5 + 7 = 12, so 12 pears.", "12"),
    ("1,234", "1234"),
    ("It costs $1,234,567.89!", "1234567.89"),
    ("1 234 567", "1234567"),
    ("1\u00a0234,5", "1234.5"),
    ("1\u202f234", "1234"),
    ("1'234’567", "1234567"),
    ("1.234,5", "1234.5"),
    ("1.234.567", "1234567"),
    ("1,09,200", "109200"),
    ("10,92,00,000", "109200000"),
    ("1.234", "1.234"),
    ("3,5", "3.5"),
    ("0,125", "0.125"),
    (".5", "0.5"),
    ("12,", "12"),
    ("-3", "-3"),
    ("= −3", "-3"),
    ("答えは−3です。", "-3"),
    ("–3", "-3"),
    ("-$3.50", "-3.5"),
    ("$-3", "-3"),
    ("(-3)", "-3"),
    ("10-3", "3"),
    ("10 - 3", "3"),
    ("(2+1)-3", "3"),
    ("10–15", "15"),
    ("答えは１２です。", "12"),
    ("合計は１，２３４．５円", "1234.5"),
    ("－７", "-7"),
    ("উত্তর ১২", "12"),
    ("คำตอบคือ ๑๒", "12"),
    ("١٬٢٣٤٫٥", "1234.5"),
    ("面積は12㎡", "12"),
    ("12 m²", "12"),
    ("8万ドル", "80000"),
    ("1.5万", "15000"),
    ("2万6000円", "26000"),
    ("1億2000万", "120000000"),
    ("-2万6千", "-26000"),
    ("3/4", "3/4"),
    ("1/2/2024", "2024"),
    ("5/0", "0"),
    ("3,5,7", "7"),
    ("1.2.3", "3"),
    ("#### 18", "18"),
    ("\\boxed{18}", "18"),
    ("**18**", "18"),
]


@pytest.mark.parametrize(("text", "value"), ONE_READING)
def test_the_last_number_is_read(text: str, value: str) -> None:
    assert last_number(text) == {Fraction(value)}


@pytest.mark.parametrize("text", ["", "no number", "十二", "9" * 5000])
def test_a_text_without_a_sensible_number_has_none(text: str) -> None:
    assert last_number(text) == frozenset()


def test_a_decimal_comma_language_reads_one_mark_both_ways() -> None:
    assert last_number("2.125 Euro", "de") == {Fraction(2125), Fraction("2.125")}
    assert last_number("2,125", "fr") == {Fraction(2125), Fraction("2.125")}
    assert last_number("2,5", "de") == {Fraction("2.5")}
    assert last_number("2.125", "ja") == {Fraction("2.125")}


@pytest.mark.parametrize(
    ("text", "reference", "value"),
    [
        ("3.0", "3", 1.0),
        ("3.00 dollars", "3", 1.0),
        ("0.75", "3/4", 1.0),
        ("He sold 5 and kept 3", "5", 0.0),
        ("1,234", "234", 0.0),
        ("-3", "3", 0.0),
        ("3", "-3", 0.0),
        ("I don't know", "3", 0.0),
        ("18", "Half of it.\n#### 18", 1.0),
    ],
)
def test_numbers_are_compared_by_value(text: str, reference: str, value: float) -> None:
    assert get_scorer("final_number").score(Answer(text), Expected((reference,))) == value


def test_a_reference_without_number_is_a_fault_of_the_item() -> None:
    assert "no number" in get_scorer("final_number").fault(Expected(("many",)))
    assert get_scorer("final_number").fault(Expected(("12",))) == ""
