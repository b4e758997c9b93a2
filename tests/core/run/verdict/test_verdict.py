"""The verdict on planted test answers: whom the winner is compared with, and what is concluded. p is scipy's exact test."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import binomtest

from evomerge_core.run.plan import RunPlan
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.store.records import Candidate, Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.run.verdict.conclusion import conclude, is_declared
from evomerge_core.run.verdict.verdict import judge
from support.run_plans import add_child, make_plan, make_stage

ITEMS = 40


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


@pytest.fixture
def plan() -> RunPlan:
    return make_plan(test=ITEMS)


def add(store: Store, kind: str, label: str, right: range) -> Candidate:
    """A candidate that has these test items right."""
    if kind == "search":
        generation, position = (int(part) - 1 for part in label[1:].split("."))
        found = add_child(store, position, generation=generation)
    else:
        found = store.add_candidate(kind, label)
    scores = [ItemScore("sums", f"sums-{n}", float(n in right), None, False, True, 3, "x") for n in range(ITEMS)]
    store.save_evaluation(found.id, "test", "nf4", Evaluation(len(right) / ITEMS, None, None, 1.0, 9), scores)
    return found


def test_the_winner_is_compared_with_the_best_of_all_references(store: Store, plan: RunPlan) -> None:
    add(store, "parent", "first", range(10))
    add(store, "uniform", "uniform 0.5", range(4, 28))
    child = add(store, "search", "g1.1", range(30))
    said = judge(plan, store, child, "nf4")
    # of the merge's 24 it has all, and 6 more
    expected = binomtest(6, 6).pvalue
    assert said["paired"] == {"against": "uniform 0.5", "wins": 6, "losses": 0, "p": pytest.approx(expected)}
    assert said["better"] == (expected < 0.05)
    figures = f"(6 items won, 0 lost, p = {expected:.2g})"
    assert said["verdict"] == f"the child beats the best equal-weight merge, 0.5 {figures}"
    assert [one["against"] for one in said["against"]] == ["first", "uniform 0.5"]


def test_a_child_that_only_beats_its_parents_is_not_better(store: Store, plan: RunPlan) -> None:
    add(store, "parent", "first", range(2))
    add(store, "uniform", "uniform 0.5", range(19))
    child = add(store, "search", "g1.1", range(20))
    said = judge(plan, store, child, "nf4")
    assert next(one for one in said["against"] if one["against"] == "first")["p"] < 0.001
    assert not said["better"]
    assert said["verdict"].startswith("the child is no better than the best equal-weight merge, 0.5 (1 items won, 0 lost")


def test_of_equal_references_the_harder_one_counts(store: Store, plan: RunPlan) -> None:
    """Both have 20 right. Against the first 10 items are won and none lost, against the second 20 and 10."""
    add(store, "parent", "like", range(20))
    add(store, "parent", "unlike", range(20, 40))
    child = add(store, "search", "g1.1", range(30))
    said = judge(plan, store, child, "nf4")
    assert (said["paired"]["against"], said["better"]) == ("unlike", False)
    assert said["paired"]["p"] == pytest.approx(binomtest(20, 30).pvalue)


def test_an_equal_weight_merge_that_won_is_compared_with_the_others(store: Store, plan: RunPlan) -> None:
    add(store, "parent", "first", range(5))
    merge = add(store, "uniform", "uniform 0.75", range(30))
    add(store, "uniform", "uniform 1", range(20))
    said = judge(plan, store, merge, "nf4")
    assert [one["against"] for one in said["against"]] == ["first", "uniform 1"]
    assert said["verdict"].startswith("the equal-weight merge 0.75 beats the best equal-weight merge, 1 (10 items won")
    assert [one["name"] for one in said["uniform"]] == ["uniform 0.75", "uniform 1"]


def test_winners_of_earlier_stages_are_references_by_the_name_of_their_stage(store: Store) -> None:
    plan = make_plan(test=ITEMS, stages=(make_stage(0), make_stage(1), make_stage(2)))
    add(store, "parent", "first", range(5))
    merge = add(store, "uniform", "uniform 0.5", range(18))
    earlier, last = add(store, "search", "g1.1", range(20)), add(store, "search", "g2.1", range(30))
    write_facts(store, stage_winners=[merge.id, earlier.id, last.id])
    said = judge(plan, store, last, "nf4")
    # the merge stands among the equal-weight merges already
    assert [(one["stage"], one["name"]) for one in said["stages"]] == [("stage-1", "g1.1")]
    assert "the child beats g1.1, the winner of stage stage-1 (10 items won, 0 lost" in said["verdict"]
    # a later stage that found nothing better has the earlier one's winner
    write_facts(store, stage_winners=[merge.id, earlier.id, earlier.id])
    again = judge(plan, store, earlier, "nf4")
    assert again["stages"] == []
    assert [one["against"] for one in again["against"]] == ["first", "uniform 0.5"]


def test_a_reference_that_failed_lost_every_item(store: Store, plan: RunPlan) -> None:
    broken = store.add_candidate("parent", "first")
    store.save_evaluation(broken.id, "test", "nf4", Evaluation(None, None, "no memory", 1.0, 0), [])
    child = add(store, "search", "g1.1", range(8))
    said = judge(plan, store, child, "nf4")
    assert said["paired"] == {"against": "first", "wins": 8, "losses": 0, "p": pytest.approx(binomtest(8, 8).pvalue)}


@pytest.mark.parametrize(
    ("better", "leading", "declared"),
    [([True, True], None, True), ([True, False], None, False), ([True, True], "first", False)],
)
def test_a_winner_is_declared_where_it_is_better_everywhere_and_no_parent_leads(
    store: Store, better: list[bool], leading: str | None, declared: bool
) -> None:
    write_facts(store, leading_parent=leading)
    assert is_declared(store, better) == declared


def test_the_conclusion_of_a_child(store: Store, plan: RunPlan) -> None:
    child = add_child(store, 0)
    write_facts(store, stage_winners=[child.id])
    assert conclude(plan, store, child, declared=True).startswith("g1.1 is the winner: the test shows that it is better")
    assert conclude(plan, store, child, declared=False).startswith(
        "no winner is declared: g1.1 did best on the validation items, but the test does not show"
    )


def test_the_conclusion_where_the_search_found_nothing_better(store: Store, plan: RunPlan) -> None:
    merge = store.add_candidate("uniform", "uniform 0.75")
    write_facts(store, stage_winners=[merge.id])
    for declared in (True, False):
        assert conclude(plan, store, merge, declared=declared).startswith(
            "the search found nothing better than equal weights 0.75; that merge is the winner"
        )


def test_the_conclusion_of_a_stage_that_found_nothing_better(store: Store) -> None:
    plan, child = make_plan(stages=(make_stage(0), make_stage(1))), add_child(store, 0)
    write_facts(store, stage_winners=[child.id, child.id])
    said = conclude(plan, store, child, declared=True)
    assert said.startswith(
        "stage stage-1 found nothing better than g1.1, the winner of stage stage-0; that child is the winner"
    )


def test_the_conclusion_where_a_parent_leads_calls_nothing_better(store: Store, plan: RunPlan) -> None:
    child, merge = add_child(store, 0), store.add_candidate("uniform", "uniform 1")
    write_facts(store, stage_winners=[child.id], leading_parent="first")
    begins = "no winner is declared: on the validation items the parent first is at least as good as "
    assert conclude(plan, store, child, declared=False) == f"{begins}the child g1.1"
    assert conclude(plan, store, merge, declared=False) == f"{begins}the equal-weight merge 1"
