"""The store: whole transactions, twins, commands."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import pytest

from evomerge_core.run.store.records import Evaluation, ItemScore, Pass, Vote
from evomerge_core.run.store.store import Store

FINE = Evaluation(0.5, 1.2, None, 3.0, 40)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


def item(name: str, value: float = 1.0) -> ItemScore:
    return ItemScore("task", name, value, 0.1, False, True, 5, "答えは[12]です。")


def test_an_evaluation_with_a_bad_item_leaves_nothing_behind(store: Store) -> None:
    candidate = store.add_candidate("search", "g1.1", generation=0, position=0, genome=[0.1])
    with pytest.raises(sqlite3.IntegrityError):
        store.save_evaluation(candidate.id, "search", "nf4", FINE, [item("a"), item("a")])
    assert store.evaluation(candidate.id, "search", "nf4") is None
    assert store.item_scores(candidate.id, "search", "nf4") == []
    assert store.events() == []


def test_a_second_process_reads_what_was_committed(store: Store, tmp_path: Path) -> None:
    candidate = store.add_candidate("search", "g1.1", generation=0, position=0, genome=[0.1, 1 / 3])
    store.save_evaluation(candidate.id, "search", "nf4", FINE, [item("b", 0.0), item("a")])
    reader = Store(tmp_path / "run.db")
    assert reader.candidate(candidate.id).genome == (0.1, 1 / 3)
    assert reader.evaluation(candidate.id, "search", "nf4") == FINE
    assert reader.item_scores(candidate.id, "search", "nf4") == [item("a"), item("b", 0.0)]


def test_of_two_votes_on_the_same_answers_the_first_counts(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "run.db")
    first = Vote("g1", "prompt", 1, 2, "first", None, "person", 0.0)
    assert store.add_vote(first)
    assert not other.add_vote(dataclasses.replace(first, choice="second", at=1.0))
    assert other.add_vote(dataclasses.replace(first, item="another"))
    assert other.add_vote(dataclasses.replace(first, second=3))
    assert [(vote.item, vote.second, vote.choice) for vote in store.votes()] == [
        ("prompt", 2, "first"),
        ("another", 2, "first"),
        ("prompt", 3, "first"),
    ]


def test_an_evaluation_is_never_replaced(store: Store) -> None:
    candidate = store.add_candidate("parent", "a")
    store.save_evaluation(candidate.id, "test", "nf4", FINE, [])
    with pytest.raises(sqlite3.IntegrityError):
        store.save_evaluation(candidate.id, "test", "nf4", FINE, [])


def test_one_on_fewer_items_is_replaced_where_that_is_said_and_readers_see_the_new_one(store: Store) -> None:
    candidate = store.add_candidate("search", "g1.1", generation=0, position=0)
    for number, replace in ((1, False), (2, True)):
        passed = Pass("validation", "nf4", 8, 24, 0.1, 1.0, generation=0, rung=number - 1)
        store.save_rung(candidate.id, passed, [item(f"{number} {n}") for n in range(8)])
        evaluation = Evaluation(0.25 * number, None, None, 1.0, 24 * number)
        mark = None if replace else "repeats"
        store.save_evaluation(candidate.id, "validation", "nf4", evaluation, [], mark=mark, replace=replace)
        seen = store.outcomes(number - 1)
        assert [(one.score, one.items, one.mark) for one in seen] == [(0.25 * number, 8 * number, mark)]
    assert len(store.outcomes()) == 1


def test_a_rung_of_a_race_is_not_that_of_a_final(store: Store) -> None:
    candidate = store.add_candidate("search", "g1.1", generation=0, position=0)
    store.save_rung(candidate.id, Pass("validation", "nf4", 1, 5, 0.1, 1.0, generation=0, rung=0), [item("a")])
    assert store.rung(candidate.id, "nf4", 0, 0) is None
    asked = Pass("search", "nf4", 1, 5, 0.1, 1.0, generation=0, rung=0)
    store.save_rung(candidate.id, asked, [item("b")])
    assert store.rung(candidate.id, "nf4", 0, 0) == asked
    assert [done.split for done in store.passes_of(candidate.id, "validation", "nf4")] == ["validation"]


def test_a_twin_shares_the_first_ones_scores(store: Store) -> None:
    first = store.add_candidate("search", "g1.1", generation=0, position=0, genome=[0.5])
    store.save_evaluation(first.id, "search", "nf4", FINE, [item("a")])
    twin = store.add_candidate("search", "g1.2", generation=0, position=1, genome=[0.5], twin=first.id)
    assert store.evaluation(twin.id, "search", "nf4") == FINE
    assert store.item_scores(twin.id, "search", "nf4") == [item("a")]


def test_commands_are_taken_once_and_acknowledged(store: Store) -> None:
    number = store.add_command("pause")
    assert not store.is_acknowledged(number)
    assert store.take_commands() == ["pause"]
    assert store.is_acknowledged(number)
    assert store.take_commands() == []
    assert [kind for _, _, kind, _ in store.events()] == ["command"]


def test_adding_a_known_candidate_gives_the_known_one(store: Store) -> None:
    assert store.add_candidate("parent", "a") == store.add_candidate("parent", "a")
    assert len(store.candidates()) == 1


def test_a_merge_that_is_of_a_stage_and_of_no_generation_keeps_its_stage(store: Store) -> None:
    drawn = store.add_candidate("drawn", "drawn 1", genome=[0.5], stage=1)
    assert (drawn.stage, store.candidate(drawn.id).stage) == (1, 1)
    assert store.add_candidate("parent", "a").stage is None


def test_a_pass_keeps_the_card_that_it_was_computed_on(store: Store) -> None:
    candidate = store.add_candidate("parent", "first")
    known = Pass("test", "bf16", 1, 5, 0.1, 1.0, rung=0, scored_on="NVIDIA H100, bfloat16")
    unknown = Pass("test", "bf16", 1, 5, 0.1, 1.0, rung=1)
    store.save_rung(candidate.id, known, [item("a")])
    store.save_rung(candidate.id, unknown, [item("b")])
    assert store.passes_of(candidate.id, "test", "bf16") == [known, unknown]
    store.require_sound()
