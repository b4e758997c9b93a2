"""Races against figures worked out by hand: who is asked what, who is dropped, and what each result is worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from evomerge_core.run.candidate.coherence_guard import Guard
from evomerge_core.run.candidate.scoring import Gate
from evomerge_core.run.generation.race import RaceSettings, race
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.store.records import Candidate, ItemScore, Pass
from evomerge_core.run.store.store import Store
from evomerge_core.search.racing.result import RaceResult
from evomerge_core.tasks.language.coherence import Signals
from support.one_by_one import each
from support.run_plans import add_child, make_plan, make_task

SIZES = (4, 8)
# Two candidates that are always right against two that never are. At the first item all four lead, so the wrong ones lose by
# 1/2, at the next three by 1: their capital after four items is the mean over the bets b = 0.1 ... 0.9 of (1 + b/2)(1 + b)^3.
CAPITAL = 4.8227


class Answers:
    """Stands for the model: writes a candidate's rung into the store, and keeps what it was asked."""

    def __init__(self, store: Store, right: dict[str, bool], loss: float = 1.0, failing: str = "", said: str = "7") -> None:
        self.store, self.right, self.loss, self.failing, self.said = store, right, loss, failing, said
        self.asked: list[tuple[str, int, list[str]]] = []

    def run_rung(self, candidate: Candidate, generation: int, rung: int, asked: Sequence[Asked], _: Gate | None) -> None:
        self.asked.append((candidate.label, rung, [a.item.id for a in asked]))
        if candidate.label == self.failing:
            failed = Pass("search", "nf4", 0, 0, 0.1, 0.5, generation, rung, failure="broken", loss=3.0)
            self.store.save_rung(candidate.id, failed, [])
            return
        value = float(self.right[candidate.label])
        items = [ItemScore(a.task.name, a.item.id, value, self.loss, False, True, 3, self.said) for a in asked]
        passed = Pass("search", "nf4", len(items), 3 * len(items), 0.1, 1.0, generation, rung)
        self.store.save_rung(candidate.id, passed, items)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


def settings(store: Store, error: float, plan: RunPlan | None = None, guard: Guard | None = None) -> RaceSettings:
    return RaceSettings(plan or make_plan(), store, SIZES, error, break_ties=True, guard=guard)


def four(store: Store) -> tuple[list[Candidate], dict[str, bool]]:
    children = [add_child(store, position) for position in range(4)]
    return children, {child.label: position < 2 for position, child in enumerate(children)}


def run_race(
    store: Store, error: float, answers: Answers, children: list[Candidate], plan: RunPlan | None = None
) -> list[RaceResult] | None:
    return race(settings(store, error, plan), 0, children, 2, each(answers.run_rung), lambda _: True)


def test_the_wrong_ones_are_dropped_where_their_capital_reaches_the_inverse_of_the_error(store: Store) -> None:
    children, right = four(store)
    answers = Answers(store, right)
    # loss 1 is squeezed to 1/2, and counts like eight items at most: 0 - 1/2 on four items, 1 - 1/2 on eight
    good, bad = RaceResult(0.5, 1), RaceResult(-0.5, 0, dropped=True)
    assert run_race(store, 1 / (CAPITAL - 0.001), answers, children) == [good, good, bad, bad]
    assert [(label, rung, len(items)) for label, rung, items in answers.asked] == [
        *((child.label, 0, 4) for child in children),
        *((child.label, 1, 4) for child in children[:2]),
    ]
    assert [store.count_items(child.id, "search", "nf4") for child in children] == [8, 8, 4, 4]
    assert [e.score for _, e in store.scored("search", "nf4")] == [1.0, 1.0, 0.0, 0.0]


def test_a_smaller_error_keeps_them(store: Store) -> None:
    children, right = four(store)
    answers = Answers(store, right)
    results = run_race(store, 1 / (CAPITAL + 0.001), answers, children)
    assert results is not None
    assert [(result.rung, result.dropped) for result in results] == [(1, False)] * 4


def test_all_meet_the_same_items_and_every_item_comes_once(store: Store) -> None:
    children, right = four(store)
    answers = Answers(store, right)
    run_race(store, 0.01, answers, children)
    by_rung = [{tuple(items) for _, rung, items in answers.asked if rung == number} for number in range(2)]
    assert [len(different) for different in by_rung] == [1, 1]
    assert sorted(name for some in by_rung for items in some for name in items) == sorted(f"sums-{n}" for n in range(8))


def test_a_race_that_the_store_holds_is_not_run_again(store: Store) -> None:
    children, right = four(store)
    first = run_race(store, 0.25, Answers(store, right), children)
    again = Answers(store, right)
    assert run_race(store, 0.25, again, children) == first
    assert again.asked == []


def test_a_race_cut_short_has_no_result_but_keeps_what_was_answered(store: Store) -> None:
    children, right = four(store)
    answers, left = Answers(store, right), [True, True, False]
    assert race(settings(store, 0.25), 0, children, 2, each(answers.run_rung), lambda _: left.pop(0)) is None
    assert [candidate.label for candidate, _ in store.scored("search", "nf4")] == ["g1.1", "g1.2"]
    # with time again it ends like an uninterrupted one
    whole = run_race(store, 0.25, Answers(store, right), children)
    assert whole is not None
    assert [result.dropped for result in whole] == [False, False, True, True]


def test_a_failed_candidate_is_worth_its_loss_and_ranks_behind_every_rung(store: Store) -> None:
    children, right = four(store)
    results = run_race(store, 0.25, Answers(store, right, failing="g1.1"), children)
    assert results is not None
    # loss 3 is squeezed to 3/4
    assert results[0] == RaceResult(-0.75, -1, dropped=True)
    evaluation = store.evaluation(children[0].id, "search", "nf4")
    assert evaluation is not None
    assert (evaluation.score, evaluation.failure) == (None, "broken")


def test_weights_make_the_score_of_several_tasks(store: Store) -> None:
    """Right on the task of weight 3 and wrong on that of weight 1: three quarters."""
    plan = make_plan(tasks=[make_task("sums", 3.0), make_task("words", 1.0)])
    child = add_child(store, 0)

    def run_rung(candidate: Candidate, generation: int, rung: int, asked: Sequence[Asked], _: Gate | None) -> None:
        items = [ItemScore(a.task.name, a.item.id, float(a.task.name == "sums"), None, False, True, 3, "x") for a in asked]
        store.save_rung(candidate.id, Pass("search", "nf4", len(items), 9, 0.1, 1.0, generation, rung), items)

    results = race(settings(store, 0.25, plan), 0, [child], 1, each(run_rung), lambda _: True)
    assert results == [RaceResult(0.75, 0)]


def test_an_incoherent_candidate_leaves_the_race_with_a_mark(store: Store) -> None:
    parent = Signals(answers=50, repeating=0, unfinished=0, worded=50, foreign=0)
    guard = Guard({"sums": frozenset({"en"})}, (parent,), {})
    children, right = four(store)
    answers = Answers(store, right, said="the same the same the same the same the same the same the same the same")
    results = race(settings(store, 0.25, guard=guard), 0, children, 2, each(answers.run_rung), lambda _: True)
    assert results is not None
    assert all(result.incoherent and result.dropped and result.rung == 0 for result in results)
    assert "repeat themselves" in (store.mark(children[0].id, "search", "nf4") or "")
