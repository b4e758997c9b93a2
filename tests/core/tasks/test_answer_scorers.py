"""Every scorer but the number's."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.items.items import make_item
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.scorers.registry import get_scorer, scorer_names
from evomerge_core.tasks.scorers.rouge_l import common_subsequence, tokens
from evomerge_core.tasks.scorers.scorer import Expected
from evomerge_core.tasks.spec import TaskSpec


def _value(scorer: str, text: str, *references: str) -> float:
    return get_scorer(scorer).score(Answer(text), Expected(references))


def test_the_scorers_are_known_by_name() -> None:
    assert scorer_names() == (
        "contains", "exact", "final_number", "multiple_choice", "multiple_choice_per_token", "normalized", "regex", "rouge_l",
        "rouge_l_ja",
    )  # fmt: skip
    with pytest.raises(InputError, match=r"^sums: scorer: unknown scorer 'rougel'; did you mean 'rouge_l'"):
        get_scorer("rougel", key="sums: scorer")


@pytest.mark.parametrize(
    ("scorer", "text", "reference", "value"),
    [
        ("exact", " Paris\n", "Paris", 1.0),
        ("exact", "paris", "Paris", 0.0),
        ("exact", "Paris.", "Paris", 0.0),
        ("normalized", "The  Eiffel-Tower!", "eiffeltower", 1.0),
        ("normalized", "ＰＡＲＩＳ。", "Paris", 1.0),
        ("normalized", "an apple", "the apple", 1.0),
        ("normalized", "theatre", "atre", 0.0),
        ("normalized", "「東京」です", "東京です", 1.0),
        ("normalized", "London", "Paris", 0.0),
        ("contains", "I think it's PARIS,\nFrance.", "paris, france", 1.0),
        ("contains", "London", "Paris", 0.0),
    ],
)
def test_text_scorers(scorer: str, text: str, reference: str, value: float) -> None:
    assert _value(scorer, text, reference) == value


@pytest.mark.parametrize("scorer", ["exact", "normalized", "contains", "rouge_l", "final_number"])
def test_any_of_several_references_will_do_and_none_is_a_fault(scorer: str) -> None:
    assert _value(scorer, "12", "11", "12") == 1.0
    assert _value(scorer, "12", "11", "13") == 0.0
    assert "no field `answer`" in get_scorer(scorer).fault(Expected())


def test_a_pattern_without_group_has_only_to_be_found() -> None:
    expected = Expected(pattern=r"\d+ pears")
    assert get_scorer("regex").fault(expected) == ""
    assert get_scorer("regex").score(Answer("12 pears"), expected) == 1.0
    assert get_scorer("regex").score(Answer("pears"), expected) == 0.0


def test_a_pattern_with_a_group_compares_the_last_match_with_the_reference() -> None:
    expected = Expected(("b",), pattern=r"[Aa]nswer: (\w+)?")
    assert get_scorer("regex").score(Answer("answer: A ... Answer: B"), expected) == 1.0
    assert get_scorer("regex").score(Answer("Answer: B ... answer: A"), expected) == 0.0
    assert get_scorer("regex").score(Answer("Answer: "), expected) == 0.0
    assert get_scorer("regex").fault(Expected(pattern="(a)")) != ""


def _chosen(scorer: str, right: int, *choices: tuple[float, int]) -> float:
    texts = tuple(f"text {index}" for index in range(len(choices)))
    return get_scorer(scorer).score(Answer(choice_logprobs=choices), Expected((texts[right],), texts, right=right))


def test_the_most_likely_choice_is_the_answer() -> None:
    assert _chosen("multiple_choice", 1, (-5.0, 1), (-4.0, 1)) == 1.0
    assert _chosen("multiple_choice", 0, (-5.0, 1), (-4.0, 1)) == 0.0
    assert _chosen("multiple_choice", 1, (-4.0, 1), (-4.0, 1)) == 0.0
    assert _chosen("multiple_choice", 0, (float("nan"), 1), (-4.0, 1)) == 0.0


def test_per_token_likelihood_can_prefer_the_longer_choice() -> None:
    short_and_long = (-4.0, 1), (-6.0, 3)
    assert _chosen("multiple_choice", 0, *short_and_long) == 1.0
    assert _chosen("multiple_choice_per_token", 0, *short_and_long) == 0.0
    assert _chosen("multiple_choice_per_token", 1, *short_and_long) == 1.0


@pytest.mark.parametrize(
    ("expected", "fault"),
    [
        (Expected(("x",), ("x",)), "fewer than two"),
        (Expected(("x",), ("x", "x")), "equal choices"),
        (Expected((), ("x", "y")), "no field `answer`"),
        (Expected(("y",), ("x", "y")), ""),
    ],
)
def test_an_item_whose_choices_dont_fit_is_at_fault(expected: Expected, fault: str) -> None:
    found = get_scorer("multiple_choice").fault(expected)
    assert fault in found
    assert bool(found) == bool(fault)


def test_rouge_l_by_hand() -> None:
    # "police kill the gunman" has 3 of the reference's 4 words in order: precision and recall 3/4 (Lin 2004, section 3).
    assert _value("rouge_l", "Police kill the gunman.", "police killed the gunman") == pytest.approx(3 / 4)
    # LCS "the gunman", 2 of 4 and 4.
    assert _value("rouge_l", "the gunman kill police", "police killed the gunman") == pytest.approx(2 / 4)
    # 東京へ行く against 東京に行った: 東京行 of 5 and 6 characters.
    assert _value("rouge_l", "東京へ行く。", "東京に行った") == pytest.approx(2 * 3 / 11)
    assert _value("rouge_l", "", "a") == 0.0
    assert _value("rouge_l", "a b", "x", "a b") == 1.0


def test_tokens_are_characters_in_cjk_and_words_elsewhere() -> None:
    assert tokens("GPUで３つ、네 개!") == ["gpu", "で", "3", "つ", "네", "개"]
    assert tokens("Don't stop—now") == ["don", "t", "stop", "now"]
    assert tokens("ค่าคือ สิบ") == ["ค่าคือ", "สิบ"]


def test_the_common_subsequence_equals_the_recursive_definition() -> None:
    def length(first: str, second: str) -> int:
        @cache
        def of(i: int, j: int) -> int:
            if not i or not j:
                return 0
            return of(i - 1, j - 1) + 1 if first[i - 1] == second[j - 1] else max(of(i - 1, j), of(i, j - 1))

        return of(len(first), len(second))

    for first, second in product(map("".join, product("ab", repeat=4)), map("".join, product("abc", repeat=4))):
        assert common_subsequence(first, second) == length(first, second)


def test_a_pattern_that_never_ends_names_its_task() -> None:
    spec = TaskSpec.model_validate({"name": "sums", "file": "x.jsonl", "scorer": "regex", "pattern": r"(\w+\s?)*$"})
    with pytest.raises(InputError, match=r"^sums: pattern: .*takes longer than 2 s.*; write it without"):
        make_task(spec).score(make_item({"question": "q", "answer": "a"}), Answer("word " * 40 + "!"))
