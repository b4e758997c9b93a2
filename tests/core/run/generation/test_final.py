"""Finals against figures worked out by hand: who is asked what, who is dropped, and what one that was dropped is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.generation.final import ERROR, Final, complete, hold_final, known_worth
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.store.records import Candidate, ItemScore, Pass
from evomerge_core.run.store.store import Store
from support.run_plans import add_child, make_plan, make_stage, make_task, save_score

# Of two contenders, one always right and one never, both lead at the first item: the wrong one loses 1/2 there, then 1 at each.
CAPITAL_AFTER_EIGHT = np.mean([(1 + b / 2) * (1 + b) ** 7 for b in np.linspace(0.1, 0.9, 9)])

Right = Callable[[str, Precision, int], float]


class Killed(Exception):
    """Stands for a job that ended."""


class Answers:
    """Stands for the model: answers a rung by `right` (label, precision, place of the item), and keeps what was asked."""

    def __init__(self, store: Store, right: Right, *, failing: str = "", kill_at: int = -1) -> None:
        self.store, self.right, self.failing, self.kill_at = store, right, failing, kill_at
        self.place: dict[str, int] = {}
        self.asked: list[tuple[str, str, int, int]] = []
        self.items: dict[tuple[str, str], list[str]] = {}

    def run_rung(self, candidate: Candidate, precision: Precision, rung: int, asked: Sequence[Asked]) -> None:
        if len(self.asked) == self.kill_at:
            raise Killed
        self.asked.append((candidate.label, precision, rung, len(asked)))
        self.items.setdefault((candidate.label, precision), []).extend(a.item.id for a in asked)
        if candidate.label == self.failing:
            failed = Pass("validation", precision, 0, 0, 0.1, 0.5, candidate.generation, rung, failure="no memory")
            self.store.save_rung(candidate.id, failed, [])
            return
        items = [
            ItemScore(a.task.name, a.item.id, self.right(candidate.label, precision, self._place(a)), None, False, True, 3, "7")
            for a in asked
        ]
        passed = Pass("validation", precision, len(items), 3 * len(items), 0.1, 1.0, candidate.generation, rung)
        self.store.save_rung(candidate.id, passed, items)

    def _place(self, asked: Asked) -> int:
        """The item's place in the order in which items were first asked."""
        return self.place.setdefault(f"{asked.task.name} {asked.item.id}", len(self.place))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


def hold(store: Store, plan: RunPlan, contenders: list[Candidate], right: Right, **answering: object) -> Answers:
    answers = Answers(store, right, **answering)  # type: ignore[arg-type]
    hold_final(make_final(store, plan, answers), contenders)
    return answers


def make_final(store: Store, plan: RunPlan, answers: Answers) -> Final:
    def run_rungs(unanswered: Iterable[tuple[Candidate, Sequence[Asked]]], precision: Precision, rung: int) -> None:
        for candidate, asked in unanswered:
            answers.run_rung(candidate, precision, rung, asked)

    return Final(plan, make_stage(tie_break="none"), store, plan.final_sizes, None, run_rungs)


def two(store: Store) -> list[Candidate]:
    return [add_child(store, 0), store.add_candidate("uniform", "uniform 1", genome=[1.0, 1.0])]


def by_label(right: dict[str, float]) -> Right:
    return lambda label, _, __: right[label]


def test_the_hopeless_one_is_asked_no_more_and_the_best_everything(store: Store) -> None:
    assert CAPITAL_AFTER_EIGHT > 1 / ERROR
    plan, contenders = make_plan(validation=16), two(store)
    answers = hold(store, plan, contenders, by_label({"g1.1": 1.0, "uniform 1": 0.0}))
    assert answers.asked == [("g1.1", "nf4", 0, 8), ("uniform 1", "nf4", 0, 8), ("g1.1", "nf4", 1, 8)]
    assert [store.count_items(c.id, "validation", "nf4") for c in contenders] == [16, 8]
    assert [(c.label, e.score) for c, e in store.scored("validation", "nf4")] == [("uniform 1", 0.0), ("g1.1", 1.0)]
    assert {o.label: o.items for o in store.outcomes(split="validation")} == {"g1.1": 16, "uniform 1": 8}


def test_equals_are_asked_everything_and_the_same_items_in_the_same_order(store: Store) -> None:
    plan, contenders = make_plan(validation=32), [*two(store), store.add_candidate("parent", "first")]
    answers = hold(store, plan, contenders, lambda _, __, place: float(place % 2))
    assert len({tuple(items) for items in answers.items.values()}) == 1
    assert sorted(answers.items["first", "nf4"]) == sorted(a.item.id for a in plan.asked["validation"])


def test_few_items_are_asked_of_everybody_at_once(store: Store) -> None:
    plan, contenders = make_plan(validation=8), two(store)
    answers = hold(store, plan, contenders, by_label({"g1.1": 1.0, "uniform 1": 0.0}))
    assert answers.asked == [("g1.1", "nf4", 0, 8), ("uniform 1", "nf4", 0, 8)]


def test_what_is_hopeless_in_one_precision_may_be_the_best_in_another(store: Store) -> None:
    plan, contenders = make_plan(validation=16, precisions=("nf4", "bf16")), two(store)
    answers = hold(store, plan, contenders, lambda label, precision, _: float((label == "g1.1") == (precision == "nf4")))
    assert [store.count_items(contenders[0].id, "validation", precision) for precision in plan.precisions] == [16, 8]
    assert [store.count_items(contenders[1].id, "validation", precision) for precision in plan.precisions] == [8, 16]
    # whoever wins then is asked the rest, where it was dropped
    assert complete(make_final(store, plan, answers), contenders[1])
    assert answers.asked[-1] == ("uniform 1", "nf4", 1, 8)
    assert store.count_items(contenders[1].id, "validation", "nf4") == 16
    evaluation = store.evaluation(contenders[1].id, "validation", "nf4")
    assert evaluation is not None
    assert (evaluation.score, evaluation.tokens) == (0.0, 48)
    assert not complete(make_final(store, plan, answers), contenders[1])


def test_who_was_dropped_is_worth_what_the_best_is_and_the_difference_where_both_answered(store: Store) -> None:
    """The leader has 12 of 16, 8 of them among the first 8; the other has none of 8: 12/16 + 0/8 - 8/8 = -1/4.

    A third one, which misses one of the first 8, is known whole.
    """
    plan = make_plan(validation=16)
    contenders = [*two(store), add_child(store, 1)]
    right = {"g1.1": range(12), "uniform 1": (), "g1.2": (*range(7), *range(11, 16))}
    hold(store, plan, contenders, lambda label, _, place: float(place in right[label]))
    worth = known_worth(plan, make_stage(tie_break="none"), store, contenders, "validation")
    assert [worth[c.id] for c in contenders] == pytest.approx([12 / 16, -4 / 16, 12 / 16])


def test_a_second_walk_asks_nothing_and_a_killed_one_ends_alike(tmp_path: Path) -> None:
    def right(label: str, precision: str, place: int) -> float:
        return float((place * (3 if label == "g1.1" else 5) + len(precision)) % 7 < (5 if label == "g1.1" else 2))

    plan, found = make_plan(validation=24, precisions=("nf4", "bf16")), []
    for name, kills in (("whole", ()), ("killed", (0, 1, 3, 2))):
        store = Store(tmp_path / f"{name}.db", create=True)
        contenders = [*two(store), store.add_candidate("parent", "first")]
        places: dict[str, int] = {}
        for kill_at in kills:
            answers = Answers(store, right, kill_at=kill_at)
            answers.place = places
            with pytest.raises(Killed):
                hold_final(make_final(store, plan, answers), contenders)
        answers = Answers(store, right)
        answers.place = places
        hold_final(make_final(store, plan, answers), contenders)
        again = hold(store, plan, contenders, right)
        assert again.asked == []
        items = [store.item_scores(c.id, "validation", precision) for c in contenders for precision in plan.precisions]
        found.append((items, [store.evaluation(c.id, "validation", "nf4") for c in contenders]))
        assert sum(kind == "evaluation" for _, _, kind, _ in store.events()) == 6
    assert found[0] == found[1]


def test_one_that_fails_is_worth_less_than_none_right_and_the_others_go_on(store: Store) -> None:
    plan, contenders = make_plan(validation=16), two(store)
    answers = hold(store, plan, contenders, by_label({"g1.1": 1.0, "uniform 1": 0.0}), failing="g1.1")
    assert answers.asked == [("g1.1", "nf4", 0, 8), ("uniform 1", "nf4", 0, 8), ("uniform 1", "nf4", 1, 8)]
    evaluation = store.evaluation(contenders[0].id, "validation", "nf4")
    assert evaluation is not None
    assert (evaluation.score, evaluation.failure) == (None, "no memory")
    worth = known_worth(plan, make_stage(tie_break="none"), store, contenders, "validation")
    assert [worth[c.id] for c in contenders] == [-1.0, 0.0]
    assert not complete(make_final(store, plan, answers), contenders[0])


def test_an_incoherent_child_is_asked_only_where_there_is_nobody_else(store: Store) -> None:
    plan, parent = make_plan(validation=8), store.add_candidate("parent", "first")
    marked, sound = add_child(store, 0), add_child(store, 1)
    save_score(store, marked, 8, 8, mark="repeats")
    answers = hold(store, plan, [marked, parent], by_label({"g1.1": 1.0, "first": 0.0}))
    assert [label for label, *_ in answers.asked] == ["g1.1", "first"]
    other = hold(store, make_plan(validation=8, precisions=("bf16",)), [marked, sound, parent], lambda *_: 1.0)
    # the mark is of the search's precision: of nf4 there
    assert [label for label, *_ in other.asked] == ["g1.1", "g1.2", "first"]
    third = add_child(store, 2)
    save_score(store, third, 8, 8, mark="repeats")
    assert [label for label, *_ in hold(store, plan, [third, sound, parent], lambda *_: 1.0).asked] == ["g1.2"]


def test_all_tasks_are_asked_alike_and_weighted(store: Store) -> None:
    """Right on the task of weight 3 and wrong on that of weight 1: three quarters, and half of each rung is each task's."""
    plan = make_plan(tasks=[make_task("sums", 3.0), make_task("words", 1.0)], validation=16)
    child = add_child(store, 0)
    answers = Answers(store, lambda *_: 0.0)

    def run_rung(candidate: Candidate, precision: Precision, rung: int, asked: Sequence[Asked]) -> None:
        assert [a.task.name for a in asked] == ["sums", "words"] * 8
        items = [ItemScore(a.task.name, a.item.id, float(a.task.name == "sums"), None, False, True, 3, "x") for a in asked]
        store.save_rung(candidate.id, Pass("validation", precision, len(items), 9, 0.1, 1.0, 0, rung), items)

    answers.run_rung = run_rung  # type: ignore[method-assign]
    hold_final(make_final(store, plan, answers), [child])
    worth = known_worth(plan, make_stage(tie_break="none"), store, [child], "validation")
    assert worth[child.id] == pytest.approx(0.75)
