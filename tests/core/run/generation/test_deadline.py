"""The end of a stage's minutes against sums done by hand.

Every pass takes a second to load and half a second an item. What follows a search of the only stage: eight finalists and a
parent on four validation items (9 * 1 + 36 * 0.5 = 27 s), a parent and the winner on ten test items (2 * 1 + 20 * 0.5 =
12 s), and writing the winner (three loads, 3 s). Another candidate on eight items takes 5 s: 47 s in all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.run.plan import RunPlan, StagePlan
from evomerge_core.run.store.records import Pass
from evomerge_core.run.store.store import Store
from evomerge_core.run.timing.deadline import learn_costs, out_of_time
from support.run_plans import add_child, make_plan, make_stage

FOLLOWS = 47.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A parent and two children were scored; 100 seconds have gone by."""
    store = Store(tmp_path / "run.db", create=True)
    parent = store.add_candidate("parent", "first")
    add_pass(store, parent.id, 8, generation=None)
    for position in range(2):
        add_pass(store, add_child(store, position).id, 8, generation=0)
    store.set_facts(active_seconds=100.0)
    return store


def add_pass(store: Store, candidate: int, items: int, *, generation: int | None, precision: str = "nf4") -> None:
    seconds = 1.0 + 0.5 * items
    store.save_rung(candidate, Pass("search", precision, items, 10 * items, 1.0, seconds, generation, None), [])


def limited(seconds: float, *, index: int = 0) -> StagePlan:
    return make_stage(index, budget={"minutes": seconds / 60})


def ends(store: Store, seconds: float, plan: RunPlan | None = None, *, index: int = 0, items: int = 8) -> bool:
    return out_of_time(plan or make_plan(), limited(seconds, index=index), store, items)


def test_another_candidate_starts_as_long_as_everything_that_follows_fits(store: Store) -> None:
    assert not ends(store, 100 + FOLLOWS + 0.1)
    assert ends(store, 100 + FOLLOWS - 0.1)
    # fewer items take less
    assert not ends(store, 100 + FOLLOWS - 1.9, items=4)
    assert ends(store, 100 + FOLLOWS - 2.1, items=4)


def test_another_precision_scores_finalists_and_test_once_more_and_its_model_is_made(store: Store) -> None:
    plan = make_plan(precisions=("nf4", "bf16"))
    store.set_facts(build_seconds=2.0)
    more = 27.0 + 12.0 + 2 * 2.0
    assert not ends(store, 100 + FOLLOWS + more + 0.1, plan)
    assert ends(store, 100 + FOLLOWS + more - 0.1, plan)


def test_an_earlier_stage_neither_tests_nor_writes_and_counts_its_own_time(store: Store) -> None:
    plan = make_plan(stages=(make_stage(0), make_stage(1)))
    assert not ends(store, 100 + 32 + 0.1, plan)
    assert ends(store, 100 + 32 - 0.1, plan)
    # the second stage began after 60 s; it has a winner more in its final (1 + 4 * 0.5 = 3 s) and to test (1 + 10 * 0.5 = 6 s)
    store.set_facts(stage_starts=[0, 1], stage_seconds=[0.0, 60.0])
    add_pass(store, add_child(store, 0, generation=1, stage=1).id, 8, generation=1)
    assert not ends(store, 40 + FOLLOWS + 9 + 0.1, plan, index=1)
    assert ends(store, 40 + FOLLOWS + 9 - 0.1, plan, index=1)


def test_of_a_final_that_is_a_race_those_that_no_search_made_are_asked_the_first_rung(store: Store) -> None:
    """Of 32 validation items the first rung has 8: eight finalists take 8 * (1 + 16) s, the parent 1 + 4 s."""
    plan, rest = make_plan(validation=32), FOLLOWS - 27
    assert not ends(store, 100 + rest + 136 + 5 + 0.1, plan)
    assert ends(store, 100 + rest + 136 + 5 - 0.1, plan)


def test_a_search_without_minutes_never_runs_out_and_the_first_candidate_is_always_scored(store: Store) -> None:
    assert not out_of_time(make_plan(), make_stage(), store, 8)
    plan = make_plan(stages=(make_stage(0), make_stage(1)))
    # nothing of the second stage, which begins with generation 1, was asked yet
    store.set_facts(stage_starts=[0, 1], stage_seconds=[0.0, 99.0])
    assert not ends(store, 1, plan, index=1)


def test_costs_are_learnt_for_each_precision_that_was_scored_in(store: Store) -> None:
    plan = make_plan(precisions=("nf4", "bf16"))
    costs = learn_costs(plan, store)
    assert list(costs) == ["nf4"]
    assert (costs["nf4"].load, costs["nf4"].batch, costs["nf4"].item) == pytest.approx((1.0, 0.0, 0.5))
    assert learn_costs(make_plan(precisions=("bf16",)), store) == {}


def test_two_workers_need_half_the_rounds_for_what_follows_and_a_lost_one_does_nothing(store: Store) -> None:
    """Four rounds of finalists and one with the parent (5 * 1 + 20 * 0.5 = 15 s), one of tests (6 s), writing (3 s), 5 s."""
    store.set_facts(workers=[{"name": "a", "lost": ""}, {"name": "b", "lost": ""}, {"name": "c", "lost": "killed"}])
    assert not ends(store, 100 + 29 + 0.1)
    assert ends(store, 100 + 29 - 0.1)
