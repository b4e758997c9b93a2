"""Orders to a crew that a test leads by hand: who gets what, what is asked again, and in which order answers come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig
from evomerge_core.run.candidate.crew import Done, ModelKind, Order
from evomerge_core.run.candidate.in_order import InOrder
from evomerge_core.run.candidate.scoring import Answered

OWN = ModelKind("bf16", None, False)


def order(label: str, rows: int | None = 8, kind: ModelKind = OWN) -> Order:
    return Order(label, MergeConfig("linear", ()), (0,), kind, rows, (), (), None)


def answered(text: str, *, rows: int = 8) -> Answered:
    return Answered((), (), None, None, 0.0, 0.0, scored_on=text, rows=rows)


NO_MEMORY = Answered((), (), "out of memory", None, 0.0, 1.0, elsewhere=True)


@dataclass
class Led:
    """A crew whose turns are given by `says`: the worker that ends next, and how (None: with the order's label)."""

    names: list[str]
    says: list[tuple[str, Answered | str | None]]
    small: Collection[str] = ()
    gone: Collection[str] = ()
    given: list[tuple[str, str, int | None]] = field(default_factory=list)
    running: dict[str, Order] = field(default_factory=dict)

    def at_work(self) -> Sequence[str]:
        return self.names

    def smallest(self) -> Collection[str]:
        return [name for name in self.small or self.names if name in self.names]

    def start(self, worker: str, order: Order) -> None:
        assert worker not in self.running
        self.given.append((worker, order.label, order.rows))
        self.running[worker] = order

    def wait(self, _: float) -> Sequence[Done]:
        worker, said = self.says.pop(0)
        done = self.running.pop(worker)
        if isinstance(said, str):
            self.names.remove(worker)
            return [Done(worker, None, said)]
        return [Done(worker, answered(done.label) if said is None else said)]

    def lacks_for_shipped(self) -> str:
        return ""

    def told(self) -> list[dict[str, Any]]:
        return [{"name": name, "lost": "killed"} for name in self.gone]


def ask(crew: Led, orders: Sequence[Order], *, most: int | None = None) -> list[str]:
    """What was computed, or the failure, in the order in which it was handed on; `most` orders may be taken."""
    taken = 0

    def each() -> Iterator[Order]:
        nonlocal taken
        for one in orders:
            if taken == most:
                return
            taken += 1
            yield one

    round_ = InOrder(crew, each(), may_take=lambda: True, rest=lambda: None, changed=lambda: None, look=lambda: None)
    return [one.failure or str(one.scored_on) for one in round_.answers()]


def test_answers_come_in_the_orders_order_whoever_is_faster() -> None:
    crew = Led(["a", "b"], [("b", None), ("b", None), ("a", None), ("b", None)])
    assert ask(crew, [order(label) for label in "1234"]) == ["1", "2", "3", "4"]
    assert crew.given == [("a", "1", 8), ("b", "2", 8), ("b", "3", 8), ("b", "4", 8)]


def test_no_more_are_taken_than_workers_are_free() -> None:
    crew = Led(["a", "b"], [("a", None), ("b", None), ("a", None)])
    assert ask(crew, [order(label) for label in "1234"], most=3) == ["1", "2", "3"]


def test_a_lost_workers_order_goes_to_another_before_what_comes_later() -> None:
    crew = Led(["a", "b"], [("a", "killed"), ("b", None), ("b", None), ("b", None)])
    assert ask(crew, [order(label) for label in "123"]) == ["1", "2", "3"]
    assert crew.given == [("a", "1", 8), ("b", "2", 8), ("b", "1", 8), ("b", "3", 8)]


def test_an_order_that_ends_three_workers_has_failed() -> None:
    crew = Led(list("abcd"), [("a", "killed"), ("b", "killed"), ("c", "killed"), ("d", None)])
    found = ask(crew, [order("1"), order("2")][:1])
    assert found == ["asked 3 times: a was lost: killed; b was lost: killed; c was lost: killed"]
    assert crew.names == ["d"]


def test_without_any_worker_the_run_ends_with_what_to_do() -> None:
    crew = Led(["a", "b"], [("a", "killed"), ("b", "its machine is gone")])
    with pytest.raises(InputError, match=r"no worker is left: .*its machine is gone.*resume the run"):
        ask(crew, [order("1")])


def test_a_round_that_nobody_is_left_for_ends_with_why() -> None:
    with pytest.raises(InputError, match=r"no worker is left: b was lost: killed; resume the run"):
        ask(Led([], [], gone=["b"]), [order("1")])


def test_what_runs_out_of_memory_is_asked_where_it_was_not_yet() -> None:
    crew = Led(["a", "b"], [("a", NO_MEMORY), ("b", None), ("b", None)])
    assert ask(crew, [order("1"), order("2")]) == ["1", "2"]
    assert crew.given == [("a", "1", 8), ("b", "2", 8), ("b", "1", 8)]


def test_out_of_memory_everywhere_is_the_candidates_own_failure() -> None:
    assert ask(Led(["a"], [("a", NO_MEMORY)]), [order("1")]) == ["out of memory"]
    assert ask(Led(["a", "b"], [("a", NO_MEMORY), ("b", NO_MEMORY)]), [order("1")]) == ["out of memory"]


def test_the_first_of_a_kind_is_asked_of_the_smallest_and_all_others_answer_as_many_together() -> None:
    """Nobody else begins with such a model before it is known how many questions the smallest answers at a time."""
    few = answered("1", rows=4)
    crew = Led(["big", "small"], [("small", few), ("big", None), ("small", None)], small=["small"])
    assert ask(crew, [order(label, rows=None) for label in "123"]) == ["1", "2", "3"]
    assert crew.given == [("small", "1", None), ("big", "2", 4), ("small", "3", 4)]


def test_other_models_need_not_wait_for_that() -> None:
    longer = ModelKind("bf16", 30, False)
    crew = Led(["a", "b"], [("b", None), ("a", None)])
    assert ask(crew, [order("1", rows=None), order("2", rows=None, kind=longer)]) == ["1", "2"]
    assert crew.given == [("a", "1", None), ("b", "2", None)]


def test_commands_are_obeyed_when_those_that_work_have_ended() -> None:
    """Nothing is taken while one waits; when nobody works any more it is obeyed, and the rest follows."""
    crew = Led(["a", "b"], [("a", None), ("b", None), ("a", None)])
    waiting, rested = [False, False, True, True, True], []

    def may_take() -> bool:
        return not (waiting.pop(0) if waiting else False)

    round_ = InOrder(
        crew,
        iter([order(label) for label in "123"]),
        may_take=may_take,
        rest=lambda: rested.append(len(crew.given)),
        changed=lambda: None,
        look=lambda: None,
    )
    assert [str(one.scored_on) for one in round_.answers()] == ["1", "2", "3"]
    assert rested[:2] == [0, 2]
