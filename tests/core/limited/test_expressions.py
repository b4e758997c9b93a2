"""Regular expressions mean what they mean to Python, and those that never end are refused."""

from __future__ import annotations

import re

import pytest

from evomerge_core.errors import InputError
from evomerge_core.limited.expression import fault_of, last_match, matches_whole

TEXTS = ["", "q_proj", "model.layers.0.self_attn.q_proj", "model.layers.11.mlp.down_proj", "a{e}", "x" * 300, "größe", "a\nb"]
EXPRESSIONS = [
    *(
        "q_proj",
        r".*\.(q|v)_proj",
        r"model\.layers\.(0|1\d)\..*",
        r"(?i).*Q_PROJ",
        r"a{e}",
        r"x{300}",
        r"\w+",
        r".*",
        r"(a)\n(b)",
    ),
    *(r"(?!model).*", r"(?P<name>x)+", "gr(ö|oe)ße", ""),
]
ENDLESS = [(r"(a+)+$", "a" * 60 + "b"), (r"(\w+\s?)*$", "word " * 40 + "!")]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_it_is_what_python_finds(expression: str) -> None:
    assert fault_of(expression) == ""
    for text in TEXTS:
        assert matches_whole(expression, text) == (re.fullmatch(expression, text) is not None)
        found = list(re.finditer(expression, text))
        assert last_match(expression, text) == ((found[-1].group(0), *found[-1].groups()) if found else None)


@pytest.mark.parametrize(("expression", "text"), ENDLESS)
def test_what_never_ends_is_refused_with_what_it_is(expression: str, text: str) -> None:
    with pytest.raises(InputError, match="takes longer than 2 s") as refusal:
        last_match(expression, text)
    assert repr(expression) in str(refusal.value)
    assert last_match("w", "word") == ("w",)


@pytest.mark.parametrize("expression", ["(", "[", "*", "a{99999999999}", "(" * 5000 + ")" * 5000, "x" * 20_000, r"\p{L}"])
def test_what_is_no_expression_has_a_fault(expression: str) -> None:
    assert fault_of(expression)


def test_a_long_expression_is_compiled_within_limits() -> None:
    assert fault_of("(?i)" + "[\x01-\uffff]" * 1500) == "it takes longer than 2 s"
    assert fault_of("(a)" * 300 + "b") == ""
    assert "unterminated" in fault_of("(a" * 300)
