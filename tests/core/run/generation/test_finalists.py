"""Which candidates become finalists, and which of them wins, against brute force and cases worked out by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.generation.finalists import best_finalist, best_of_search, choose_finalists
from evomerge_core.run.plan import StagePlan
from evomerge_core.run.store.store import Store
from support.run_plans import add_child, make_plan, make_stage, save_score


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


def test_the_order_is_sound_then_asked_most_then_score_then_loss_then_age(store: Store) -> None:
    draw, made = random.Random(0), []
    for position in range(40):
        asked = draw.choice([4, 8])
        right, loss = draw.randrange(asked + 1), draw.choice([0.1, 0.7])
        mark = "repeats" if draw.random() < 0.3 else None
        child = add_child(store, position)
        save_score(store, child, right, asked, loss=loss, mark=mark)
        made.append((mark is not None, -asked, -right / asked, loss, child.id, child.label))
    plan = make_plan()
    found = best_of_search(plan, plan.stages[0], store, 40)
    assert [child.label for child in found] == [label for *_, label in sorted(made)]


def test_in_a_race_a_small_lead_in_score_can_be_outweighed_by_the_loss(store: Store) -> None:
    """6 of 12 with loss 0.25 against 7 of 12 with loss 1: squeezed to 1/5 and 1/2, of 8 items in 12."""
    for position, (right, loss) in enumerate(((6, 0.25), (7, 1.0))):
        save_score(store, add_child(store, position), right, 12, loss=loss)
    plan = make_plan()
    assert 6 / 12 - 1 / 5 * 8 / 12 > 7 / 12 - 1 / 2 * 8 / 12
    assert [c.label for c in best_of_search(plan, plan.stages[0], store, 2)] == ["g1.2", "g1.1"]
    store.set_facts(race_sizes_0=[12])
    assert [c.label for c in best_of_search(plan, plan.stages[0], store, 2)] == ["g1.1", "g1.2"]


def test_averages_of_the_best_and_the_searchs_mean_take_the_last_places(store: Store) -> None:
    """The best four of ten, at places 9 to 6, are 0.75 on average; eight are more than the better half."""
    for position in range(10):
        save_score(store, add_child(store, position), position, 10)
    plan = make_plan()
    best = [f"g1.{number}" for number in range(10, 2, -1)]
    assert [c.label for c in choose_finalists(plan, plan.stages[0], store)] == best
    store.set_facts(generation=1, mean=[0.5, 0.5])
    for _ in range(2):  # a resumed final has the same ones
        finalists = choose_finalists(plan, plan.stages[0], store)
        assert [c.label for c in finalists] == [*best[:6], "best 4", "mean 1"]
        assert (finalists[-1].genome, finalists[-1].stage) == ((0.5, 0.5), 0)
        assert finalists[-2].genome == pytest.approx((0.75, 0.0))
        assert (finalists[-2].kind, finalists[-2].stage, finalists[-2].generation) == ("mean", 0, 0)


@dataclass(frozen=True)
class _WholeNumbers(StagePlan):
    @property
    def averages(self) -> bool:
        return False


def test_whole_numbers_are_not_averaged(store: Store) -> None:
    for position in range(10):
        save_score(store, add_child(store, position), position, 10)
    store.set_facts(generation=1, mean=[0.5, 0.5])
    stage = _WholeNumbers(**vars(make_stage(0)))
    labels = [c.label for c in choose_finalists(make_plan(), stage, store)]
    assert labels == [*[f"g1.{number}" for number in range(10, 3, -1)], "mean 1"]


def test_a_stage_has_its_own_finalists(store: Store) -> None:
    plan = make_plan(stages=(make_stage(0), make_stage(1)))
    save_score(store, add_child(store, 0), 8, 8)
    save_score(store, add_child(store, 0, generation=1, stage=1), 3, 8)
    # the mean that the store holds is the first stage's
    store.set_facts(stage_starts=[0, 1], generation=1, mean=[0.5, 0.5])
    assert [c.label for c in choose_finalists(plan, plan.stages[1], store)] == ["g2.1"]
    assert [c.label for c in choose_finalists(plan, plan.stages[0], store)] == ["g1.1", "mean 1"]


def test_a_search_without_any_score_says_where_the_reasons_are(store: Store) -> None:
    plan = make_plan()
    with pytest.raises(InputError, match="evomerge-tui candidate"):
        best_of_search(plan, plan.stages[0], store, 4)


def test_the_highest_total_wins_among_the_sound_ones(store: Store) -> None:
    """Each is marked somewhere else: in the search, in the validation of another precision, nowhere."""
    first, second, third = (add_child(store, position) for position in range(3))
    save_score(store, first, 8, 8, mark="repeats")
    save_score(store, second, 8, 8)
    save_score(store, second, 4, 4, split="validation", precision="bf16", mark="never ends")
    save_score(store, third, 1, 8)
    plan = make_plan(precisions=("nf4", "bf16"))
    totals = {first.id: 2.0, second.id: 1.5, third.id: 0.2}
    assert best_finalist(plan, store, totals, [first, second, third]) == third
    assert best_finalist(plan, store, totals, [first, second]) == first
    assert best_finalist(plan, store, {**totals, first.id: 1.5}, [second, first]) == first
