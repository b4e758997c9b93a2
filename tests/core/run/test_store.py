"""The store: whole transactions, twins, commands."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from evomerge_core.run.store.records import Evaluation, ItemScore
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


def test_an_evaluation_is_never_replaced(store: Store) -> None:
    candidate = store.add_candidate("parent", "a")
    store.save_evaluation(candidate.id, "test", "nf4", FINE, [])
    with pytest.raises(sqlite3.IntegrityError):
        store.save_evaluation(candidate.id, "test", "nf4", FINE, [])


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
