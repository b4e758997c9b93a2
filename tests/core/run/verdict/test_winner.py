"""Who wins a final, by hand: the best child where it is better than all that is free, else that; and whether a parent leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.coherence_guard import Guard
from evomerge_core.run.generation.final import known_worth
from evomerge_core.run.generation.winner import Choice, Contenders, best_contender, choose_winner, leading_parent
from evomerge_core.run.plan import RunPlan
from evomerge_core.run.store.facts import read_facts, write_facts
from evomerge_core.run.store.records import Candidate, Evaluation
from evomerge_core.run.store.store import Store
from support.run_plans import add_child, make_plan, make_stage, save_score

STAGE = make_stage(tie_break="none")
ITEMS = 8


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


def contenders(store: Store, children: int = 2) -> Contenders:
    return Contenders(
        finalists=tuple(add_child(store, position) for position in range(children)),
        free=tuple(store.add_candidate("uniform", f"uniform {weight:g}", genome=[weight] * 2) for weight in (0.5, 0.75)),
        parents=tuple(store.add_candidate("parent", label) for label in ("first", "second")),
    )


def validated(store: Store, some: Contenders, right: dict[str, int], plan: RunPlan | None = None) -> tuple[str, str | None]:
    """The winner's label and the leading parent's; `right` answers of eight, 0 where not given."""
    plan = plan or make_plan(search=32, validation=ITEMS)
    for one in some.everybody:
        for precision in plan.precisions:
            save_score(store, one, right.get(one.label, 0), ITEMS, split="validation", precision=precision)
    worth = known_worth(plan, STAGE, store, some.everybody, "validation")
    winner = best_contender(plan, STAGE, store, some, worth)
    return winner.label, leading_parent(some, worth, winner)


@pytest.mark.parametrize(
    ("right", "winner", "leading"),
    [
        ({"g1.1": 5, "g1.2": 6, "uniform 0.5": 4, "first": 5}, "g1.2", None),
        ({"g1.1": 6, "g1.2": 6, "uniform 0.5": 5}, "g1.1", None),  # the earlier of equal children
        ({"g1.1": 6, "g1.2": 5, "uniform 0.75": 6}, "uniform 0.75", None),  # the simpler of equals
        ({"g1.1": 6, "uniform 0.5": 7, "uniform 0.75": 7}, "uniform 0.5", None),  # the earlier of equal merges
        ({"g1.1": 6, "uniform 0.5": 5, "second": 6}, "g1.1", "second"),  # as good as the winner is enough
        ({"g1.1": 4, "uniform 0.5": 5, "first": 8, "second": 7}, "uniform 0.5", "first"),
    ],
)
def test_the_best_wins_and_of_equals_the_simpler(store: Store, right: dict[str, int], winner: str, leading: str | None) -> None:
    assert validated(store, contenders(store), right) == (winner, leading)


def test_all_precisions_count_alike(store: Store) -> None:
    """5 and 2 of 8 are less than 4 and 4."""
    plan, some = make_plan(search=32, validation=ITEMS, precisions=("nf4", "bf16")), contenders(store, 1)
    for precision, child, merge in (("nf4", 5, 4), ("bf16", 2, 4)):
        save_score(store, some.finalists[0], child, ITEMS, split="validation", precision=precision)
        save_score(store, some.free[0], merge, ITEMS, split="validation", precision=precision)
    worth = known_worth(plan, STAGE, store, some.everybody, "validation")
    assert best_contender(plan, STAGE, store, some, worth) == some.free[0]


def test_the_loss_orders_equal_scores(store: Store) -> None:
    plan, some = make_plan(search=32, validation=ITEMS), contenders(store, 1)
    save_score(store, some.finalists[0], 4, ITEMS, loss=0.5, split="validation")
    save_score(store, some.free[0], 4, ITEMS, loss=0.7, split="validation")
    worth = known_worth(plan, make_stage(), store, some.everybody, "validation")
    assert best_contender(plan, make_stage(), store, some, worth) == some.finalists[0]


def test_an_incoherent_child_never_beats_what_is_free(store: Store) -> None:
    some = contenders(store, 1)
    save_score(store, some.finalists[0], 8, 8, mark="repeats")
    assert validated(store, some, {"g1.1": 8, "uniform 0.5": 1}) == ("uniform 0.5", None)


@pytest.mark.parametrize(("marked", "winner"), [(("g1.1",), "g1.2"), (("g1.1", "g1.2"), "g1.1")])
def test_an_incoherent_earlier_winner_is_no_floor(store: Store, marked: tuple[str, ...], winner: str) -> None:
    earlier, later = add_child(store, 0), add_child(store, 1)
    for one in (earlier, later):
        save_score(store, one, 8, 8, mark="repeats" if one.label in marked else None)
    some = Contenders((later,), (earlier,), (store.add_candidate("parent", "first"),))
    assert validated(store, some, {"g1.1": 8, "g1.2": 5})[0] == winner


def test_the_searchs_items_count_between_finalists_that_were_all_asked_them(store: Store) -> None:
    """Without races: 4 of 8 on validation and 6 of 8 on search are more than 5 and 3."""
    plan, some = make_plan(search=8, validation=ITEMS), contenders(store)
    for child, right in zip(some.finalists, (6, 3), strict=True):
        save_score(store, child, right, 8)
    assert validated(store, some, {"g1.1": 4, "g1.2": 5, "uniform 0.5": 3}, plan) == ("g1.1", None)


def test_a_child_that_only_its_search_puts_first_is_not_above_a_merge(store: Store) -> None:
    plan, some = make_plan(search=8, validation=ITEMS), contenders(store)
    for child, right in zip(some.finalists, (8, 3), strict=True):
        save_score(store, child, right, 8)
    assert validated(store, some, {"g1.1": 3, "g1.2": 5, "uniform 0.5": 4}, plan) == ("g1.2", None)


@dataclass
class Played:
    """Stands for the evaluator: `right` of a split's items are right, whoever is asked, by label."""

    store: Store
    plan: RunPlan
    right: dict[str, int]
    guard: Guard | None = None
    asked: list[str] = field(default_factory=list)

    def run_final_rungs(self, unanswered: Any, precision: Precision, rung: int) -> None:
        for candidate, asked in unanswered:
            assert (rung, len(asked)) == (0, 8)
            self.evaluate(candidate, "validation", precision)

    def evaluate_all(self, candidates: Sequence[Candidate], split: str, precision: Precision) -> None:
        for candidate in candidates:
            self.evaluate(candidate, split, precision)

    def evaluate(self, candidate: Candidate, split: str, precision: Precision) -> Evaluation:
        known = self.store.evaluation(candidate.id, split, precision)
        if known is None:
            self.asked.append(candidate.label)
            save_score(self.store, candidate, self.right.get(candidate.label, 0), 8, split=split, precision=precision)
            known = self.store.evaluation(candidate.id, split, precision)
        assert known is not None
        return known


def choose(store: Store, right: dict[str, int], plan: RunPlan) -> Choice:
    write_facts(store, starts=[None])
    evaluator: Any = Played(store, plan, right)
    return choose_winner(plan, STAGE, store, evaluator, ())


def test_everybody_stands_in_the_final_and_the_choice_says_what_to_expect(store: Store) -> None:
    plan, some = make_plan(validation=ITEMS), contenders(store)
    for child in some.finalists:
        save_score(store, child, 4, 8)
    choice = choose(store, {"g1.1": 5, "g1.2": 4, "uniform 0.5": 4, "first": 1}, plan)
    assert (choice.winner.label, choice.leading_parent) == ("g1.1", None)
    assert {o.label for o in store.outcomes(split="validation")} == {c.label for c in some.everybody}
    known = choice.expected["nf4"]
    assert (known["search"], known["validation"]) == (4 / 8, 5 / 8)
    assert 0 <= known["expected"] <= known["validation"]
    assert (read_facts(store).phase, read_facts(store).phase_total) == ("validation", 6)


@pytest.mark.parametrize(("right", "winner"), [(5, "g1.1"), (6, "g2.1"), (7, "g2.1")])
def test_after_the_first_stage_its_winner_is_what_must_not_be_better(store: Store, right: int, winner: str) -> None:
    """The winner of the first stage has 6 of 8. A stage of paths begins with that very model: as good is enough there."""
    stage = make_stage(1, tie_break="none")
    plan, some = make_plan(validation=ITEMS, stages=(STAGE, stage)), contenders(store, 0)
    first, later = add_child(store, 0), add_child(store, 0, generation=1, stage=1)
    write_facts(store, starts=[None, None], stage_starts=[0, 1])
    save_score(store, first, 8, 8)
    save_score(store, later, 8, 8)
    evaluator: Any = Played(store, plan, {"g1.1": 6, "g2.1": right, "uniform 0.5": 8})
    assert choose_winner(plan, stage, store, evaluator, (first,)).winner.label == winner
    # equal-weight merges have had their final before
    assert store.evaluation(some.free[0].id, "validation", "nf4") is None


def test_without_validation_items_the_searchs_decide(store: Store) -> None:
    plan, some = make_plan(validation=0), contenders(store)
    for one, right in zip(some.everybody, (4, 5, 6, 2, 1, 1), strict=True):
        save_score(store, one, right, 8)
    choice = choose(store, {}, plan)
    assert (choice.winner.label, choice.leading_parent, choice.expected) == ("uniform 0.5", None, {})
    assert store.outcomes(split="validation") == []


def test_a_stage_that_an_earlier_version_began_has_four_finalists_and_nobody_else(store: Store) -> None:
    plan, some = make_plan(validation=ITEMS), contenders(store, 6)
    for right, child in enumerate(some.finalists):
        save_score(store, child, right, 8)
    evaluator: Any = Played(store, plan, {"g1.4": 5, "uniform 0.5": 8, "first": 8})
    choice = choose_winner(plan, STAGE, store, evaluator, ())
    assert (choice.winner.label, choice.leading_parent) == ("g1.4", None)
    assert {o.label for o in store.outcomes(split="validation")} == {"g1.3", "g1.4", "g1.5", "g1.6"}
