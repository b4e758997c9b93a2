"""The gate of a race: when there is one, whom it compares with, and what it stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.run.generation.broken_gate import GATE_ITEMS, gold_gate, pays
from evomerge_core.run.plan import RunPlan
from evomerge_core.run.store.records import Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from support.run_plans import GOLD, make_plan, make_questions, make_task

LONG = 400


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


def plan_of(max_new_tokens: int) -> RunPlan:
    task = make_task()
    plan = make_plan(tasks=[task])
    return RunPlan(
        plan.seed,
        plan.precisions,
        plan.stages,
        (task,),
        {**plan.asked, "search": make_questions(task, 12, max_new_tokens=max_new_tokens)},
        12,
        0.0,
    )


def add_parent(store: Store, label: str, loss: float) -> None:
    parent = store.add_candidate("parent", label)
    items = [ItemScore("sums", f"sums-{n}", 1.0, loss, False, True, 3, "7") for n in range(12)]
    store.save_evaluation(parent.id, "search", "nf4", Evaluation(1.0, loss, None, 1.0, 36), items)


def test_it_pays_where_a_broken_candidate_would_write_for_long() -> None:
    """A tenth is broken, and a token more costs a batch 80 read ones: eight read tokens pay for a written one."""
    asked = make_questions(make_task(), GATE_ITEMS, max_new_tokens=1)
    read = GATE_ITEMS * len("What is 3 + 4?" + GOLD) / 4
    least = int(read / 8) + 1
    assert not pays(asked)
    assert not pays(make_questions(make_task(), GATE_ITEMS, max_new_tokens=least - 1))
    assert pays(make_questions(make_task(), GATE_ITEMS, max_new_tokens=least))


def test_without_a_parents_losses_or_where_it_costs_more_there_is_no_gate(store: Store) -> None:
    plan = plan_of(LONG)
    assert gold_gate(plan, store, plan.asked["search"], 0.1) is None
    add_parent(store, "first", 0.5)
    assert gold_gate(plan, store, plan.asked["search"], 0.1) is not None
    short = plan_of(1)
    assert gold_gate(short, store, short.asked["search"], 0.1) is None


def test_it_stops_what_is_a_nat_per_token_worse_than_the_best_parent(store: Store) -> None:
    for label, loss in (("good", 0.5), ("worse", 2.0)):
        add_parent(store, label, loss)
    plan = plan_of(LONG)
    gate = gold_gate(plan, store, plan.asked["search"], 0.1)
    assert gate is not None
    assert len(gate.questions) == GATE_ITEMS
    assert gate.objection([1.49] * GATE_ITEMS) is None
    stopped = gate.objection([1.75] * GATE_ITEMS)
    assert stopped is not None
    assert "1.2 nats per token less likely than for good" in stopped
    # items without a loss say nothing
    assert gate.objection([None] * GATE_ITEMS) is None


def test_a_bet_of_three_items_needs_a_larger_error_than_one_of_eight(store: Store) -> None:
    """Three items that are all worse: the mean over the bets b = 0.1 ... 0.9 of (1 + b)^3 is 3.675."""
    add_parent(store, "first", 0.5)
    plan = plan_of(LONG)
    few = plan.asked["search"][:3]
    capital = sum((1 + b / 10) ** 3 for b in range(1, 10)) / 9
    assert capital == pytest.approx(3.675)
    for error, stops in ((1 / (capital - 0.01), True), (1 / (capital + 0.01), False)):
        gate = gold_gate(plan, store, few, error)
        assert gate is not None
        assert (gate.objection([5.0] * 3) is not None) == stops
