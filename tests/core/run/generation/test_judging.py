"""How a stage's generations are judged, decided by the plan alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from evomerge_core.run.generation.judging import race_settings, races, score_all, stage_sizes
from evomerge_core.run.store.facts import read_facts, write_race
from evomerge_core.run.store.records import Candidate, Pass
from evomerge_core.run.store.store import Store
from support.run_plans import add_child, make_plan, make_stage, save_score


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


def test_loading_that_takes_long_makes_the_first_rung_longer() -> None:
    """22 % of 100 items are 22. Rungs double from 8 on, but 6 more items, or fewer than loading takes, are not worth a rung."""
    assert stage_sizes(make_plan(search=100), make_stage()) == (8, 22)
    assert stage_sizes(make_plan(search=100, load_items=12.0), make_stage()) == (22,)


def test_few_items_or_none_to_choose_the_winner_by_mean_no_race() -> None:
    assert races(make_plan(search=16), make_stage())
    assert not races(make_plan(search=15), make_stage())
    assert not races(make_plan(search=16, validation=0), make_stage())
    assert not races(make_plan(search=100), make_stage(racing=False))


def test_a_resumed_run_keeps_its_rungs(store: Store) -> None:
    write_race(store, 0, (5, 9))
    settings = race_settings(make_plan(search=100), make_stage(), store, None)
    assert settings is not None
    assert settings.sizes == (5, 9)


def test_rungs_and_error_are_kept_and_taken_from_the_recipe(store: Store) -> None:
    stage = make_stage(racing={"first": 4, "items": 8, "error": 0.3}, tie_break="none")
    settings = race_settings(make_plan(search=20), stage, store, None)
    assert settings is not None
    assert (settings.sizes, settings.error, settings.break_ties, settings.name) == ((4, 8), 0.3, False, "stage-0")
    assert read_facts(store).race_of(0) == (4, 8)


def test_everybody_on_everything_is_ranked_by_score_then_loss_and_marks_count(store: Store) -> None:
    plan, children = make_plan(), [add_child(store, position) for position in range(3)]
    for child, right, mark in zip(children, (6, 6, 8), (None, None, "repeats"), strict=True):
        save_score(store, child, right, 8, loss=float(child.id), mark=mark)

    def known(candidates: Iterable[Candidate], *_: str) -> None:
        assert not list(candidates)

    # the losses are 1, 2 and 3: squeezed to 1/2, 2/3 and 3/4, of one item in eight
    results = score_all(plan, plan.stages[0], store, known, children)
    assert results is not None
    assert [result.fitness for result in results] == pytest.approx([6 / 8 - 1 / 16, 6 / 8 - 2 / 24, 1 - 3 / 32])
    assert [result.incoherent for result in results] == [False, False, True]


def test_minutes_that_are_over_end_the_scoring(store: Store) -> None:
    plan = make_plan(stages=(make_stage(budget={"minutes": 1}),))
    done, new = add_child(store, 0), add_child(store, 1)
    save_score(store, done, 4, 8)
    store.save_rung(done.id, Pass("search", "nf4", 8, 24, 1.0, 9.0, 0, None), [])
    store.set_facts(active_seconds=59.0)

    def never(candidates: Iterable[Candidate], *_: str) -> None:
        assert not list(candidates), "no candidate may be scored any more"

    assert score_all(plan, plan.stages[0], store, never, [new]) is None
