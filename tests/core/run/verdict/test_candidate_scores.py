"""Candidates side by side: what items say, and what votes, which are of candidates as a whole, don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.run.statistics import compare
from evomerge_core.run.store.records import Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.run.verdict.candidate_scores import differences, paired, split_scores
from evomerge_core.tasks.taste import TASTE

WEIGHTS = {"words": 1.0, TASTE: 1.0}
OURS, THEIRS = [1.0, 1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0, 1.0]


def add(store: Store, label: str, *, words: list[float], liked: float) -> int:
    """A candidate that was asked items of a task and three prompts of taste; its id."""
    items = [ItemScore("words", f"item {n}", value, None, False, True, 5, "text") for n, value in enumerate(words)]
    items += [ItemScore(TASTE, f"prompt {n}", liked, None, False, True, 5, "text") for n in range(3)]
    candidate = store.add_candidate("parent", label)
    store.save_evaluation(candidate.id, "search", "fp32", Evaluation(0.5, None, None, 1.0, 40), items)
    return candidate.id


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


def test_a_paired_test_is_of_items_and_never_of_what_votes_made_of_prompts(store: Store) -> None:
    ours, theirs = (add(store, name, words=words, liked=liked) for name, words, liked in (("a", OURS, 0.9), ("b", THEIRS, 0.1)))
    found = differences(store, ours, theirs, "search", "fp32")
    assert paired(found, WEIGHTS) == compare(OURS, THEIRS)
    assert [one.outcome for one in found if one.task == TASTE] == ["even"] * 3
    assert [one.outcome for one in found if one.task == "words"] == ["won", "even", "even", "even", "lost"]


def test_by_taste_alone_there_is_no_paired_test(store: Store) -> None:
    ours, theirs = (add(store, name, words=[], liked=liked) for name, liked in (("a", 0.9), ("b", 0.1)))
    assert paired(differences(store, ours, theirs, "search", "fp32"), {TASTE: 1.0}) is None


def test_a_score_that_votes_are_part_of_has_no_interval_of_items(store: Store) -> None:
    scores = {one.task: one for one in split_scores(store, add(store, "a", words=OURS, liked=0.9), WEIGHTS)}
    assert scores[None].interval is None
    assert scores[TASTE].interval is None
    assert scores["words"].interval is not None
