"""The coherence guard: children that score well and speak badly are not chosen, and parents' own habits are no fault."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from evomerge_core.run.candidate.coherence_guard import DRIFT, Guard, objection
from evomerge_core.run.store.records import ItemScore
from evomerge_core.tasks.language.coherence import Signals

SOUND = "The total is {} apples, because she bought some and ate the others."
PARENT = Signals(answers=32, repeating=0, unfinished=0, worded=32, foreign=1)
TEXTS = (("en", "0"), ("en", "1"))
GUARD = Guard(
    languages=MappingProxyType({"sums": frozenset({"en"})}),
    parents=(PARENT, replace(PARENT, unfinished=2)),
    losses=MappingProxyType(dict.fromkeys(TEXTS, (3.0, 3.4))),
)


def answers(text: str, count: int = 16, *, truncated: bool = False) -> list[ItemScore]:
    """All of them right, as the task sees it."""
    return [ItemScore("sums", str(n), 1.0, 0.1, truncated, True, 20, text.format(n)) for n in range(count)]


def neutral(loss: float) -> list[ItemScore]:
    return [ItemScore(language, number, 0.0, loss, False, True, 0, "") for language, number in TEXTS]


def test_a_sound_child_is_not_marked() -> None:
    assert objection(GUARD, answers(SOUND), neutral(3.3)) is None
    assert objection(GUARD, answers("{}"), neutral(3.3)) is None


@pytest.mark.parametrize(
    ("said", "truncated", "loss", "reason"),
    [
        ("The answer is the answer is the answer is the answer is the answer is {}", False, 3.3, "repeat themselves"),
        ("彼女はりんごを{}個持っています。", False, 3.3, "foreign language"),
        (SOUND, True, 3.3, "never end"),
        (SOUND, False, 3.4 + DRIFT + 0.1, "neutral text"),
    ],
)
def test_a_planted_incoherent_child_is_marked_with_its_reason(said: str, truncated: bool, loss: float, reason: str) -> None:
    found = objection(GUARD, answers(said, truncated=truncated), neutral(loss))
    assert found is not None
    assert reason in found


def test_one_bad_answer_is_no_reason() -> None:
    mixed = [*answers(SOUND, 15), *answers("彼女はりんごを{}個持っています。", 1, truncated=True)]
    assert objection(GUARD, mixed, neutral(3.3)) is None


def test_what_a_parent_does_is_no_fault_of_the_child() -> None:
    rambling = replace(GUARD, parents=(PARENT, replace(PARENT, unfinished=30)))
    assert objection(rambling, answers(SOUND, truncated=True), neutral(3.3)) is None
    assert objection(GUARD, answers(SOUND, truncated=True), neutral(3.3)) is not None


def test_few_answers_are_not_enough_to_tell() -> None:
    bad = "彼女はりんごを{}個持っています。"
    assert objection(GUARD, answers(bad, 1), neutral(3.3)) is None
    assert objection(GUARD, answers(bad, 4), neutral(3.3)) is not None


def test_without_neutral_losses_only_the_answers_count() -> None:
    assert objection(GUARD, answers(SOUND), []) is None
