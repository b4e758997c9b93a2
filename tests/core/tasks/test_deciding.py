"""An answer whose score is certain: whatever follows, the scorer says the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evomerge_core.tasks.early_end import Decision
from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.scorers.scorer import Expected

TEXT = st.text(alphabet="ab A1é\u0301 \n答\ufffd", max_size=8)
WORDS = st.text(alphabet="abA1é答", min_size=1, max_size=3)


@given(st.sampled_from(["exact", "contains"]), st.lists(WORDS, min_size=1, max_size=2), TEXT, TEXT)
def test_no_continuation_changes_a_decided_score(scorer: str, references: list[str], begun: str, rest: str) -> None:
    decision = Decision("exact" if scorer == "exact" else "contains", tuple(references))
    if decision.made(begun):
        score, expected = get_scorer(scorer).score, Expected(tuple(references))
        # a half-decoded character is replaced by what follows
        whole = begun.rstrip("\ufffd") + rest
        assert score(Answer(text=begun), expected) == score(Answer(text=whole), expected)


def test_an_accent_that_is_there_or_may_follow_decides_nothing() -> None:
    contains = Decision("contains", ("a",))
    assert not any(contains.made(text) for text in ("a", "a\u0301", "A\u0301", "a\u0315", "a\ufffd", "a\ufffd\ufffd"))
    assert contains.made("ab")


def test_a_beginning_of_the_reference_is_not_decided() -> None:
    exact = Decision("exact", ("Paris", "the city of Paris"))
    assert not any(exact.made(text) for text in ("", " ", "Par", " Paris", "the ", "the city"))
    assert exact.made("Lon")
    assert exact.made("Paris,")
    contains = Decision("contains", ("paris",))
    assert contains.made("It is Paris.")
    assert not contains.made("It is Par")
