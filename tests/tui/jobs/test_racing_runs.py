"""Races in real runs on tiny models: who meets which items, what is dropped, and that a stopped run ends the same."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.loop import run
from evomerge_core.run.run_folder.commands import Stopped
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.setup import create_run, prepare
from evomerge_core.run.store.store import Store
from evomerge_quant.resident.model import build
from support.tiny_run import scores, write_recipe

TASK = {
    "name": "numbers",
    "file": "items.jsonl",
    "fields": {"question": "question"},
    "prompt": "{question}",
    "gold": "{question}",
    "scorer": "regex",
    "pattern": "7",  # about every other random answer holds a seven
    "max_new_tokens": 6,
}
RACE = {
    "tasks": [TASK],
    "splits": {"search": 24, "validation": 8, "test": 10},
    "budget": {"evaluations": 28},
    "search": {"population": 8, "racing": {"first": 4, "items": 12, "error": 0.5}},
    "evaluation": {"precision": "nf4", "device": "cpu"},
}


def make_run(place: Path, out: str, **changes: Any) -> Path:
    return create_run(load_recipe(write_recipe(place / out, **{**RACE, **changes})), out=place / out / "run")


def carry_out(folder: Path, stop_after: int | None = None) -> str:
    """The winner's label. With `stop_after`, the run is asked to stop once that many candidates were loaded."""
    setup, store = prepare(load_recipe(folder / RECIPE), folder), open_store(folder)
    loads = 0

    def make(precision: Any, layers: Any, batch_size: int | None) -> Any:
        model = build(setup.base_folder, precision=precision, device="cpu", layers=layers, batch_size=batch_size)
        load = model.load

        def counted(tensors: Any) -> None:
            nonlocal loads
            loads += 1
            if loads == stop_after:
                store.add_command("stop")
            load(tensors)

        model.load = counted  # type: ignore[method-assign]
        return model

    try:
        return run(setup, store, make).label
    finally:
        store.close()


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("raced"), "whole")
    carry_out(folder)
    return folder


def items_of(store: Store, generation: int) -> dict[str, set[str]]:
    """Item ids that each of a generation's candidates answered in the search."""
    found = [c for c in store.candidates("search") if c.generation == generation]
    return {c.label: {i.item for i in store.item_scores(c.id, "search", "nf4")} for c in found}


def test_a_generation_meets_the_same_items_and_the_next_one_others(raced: Path) -> None:
    store = open_store(raced)
    generations = [items_of(store, number) for number in range(3)]
    for items in generations:
        most = max(items.values(), key=len)
        assert len(most) == 12
        assert all(some <= most and len(some) in (4, 8, 12) for some in items.values())
    first, second, third = (max(items.values(), key=len) for items in generations)
    assert not first & second
    assert third != first


def test_some_are_dropped_early_and_all_have_an_evaluation_on_what_they_were_asked(raced: Path) -> None:
    store = open_store(raced)
    asked = [store.count_items(c.id, "search", "nf4") for c in store.candidates("search")]
    assert len(set(asked)) > 1, "nobody was dropped: the test's error is too low"
    for candidate, evaluation in store.scored("search", "nf4"):
        items = store.item_scores(candidate.id, "search", "nf4")
        assert evaluation.score == pytest.approx(sum(i.value for i in items) / len(items))
        assert evaluation.tokens == sum(i.tokens for i in items)


def test_the_dropped_had_less_than_the_better_half(raced: Path) -> None:
    """Whoever was dropped after the first rung was right less often on it than the better half was on average."""
    store = open_store(raced)
    values: dict[int, dict[str, float]] = defaultdict(dict)
    for number in range(3):
        items = items_of(store, number)
        first_rung = set.intersection(*items.values())
        for candidate in store.candidates("search"):
            if candidate.generation == number:
                own = [i.value for i in store.item_scores(candidate.id, "search", "nf4") if i.item in first_rung]
                values[number][candidate.label] = sum(own) / len(own)
        best = sorted(values[number].values(), reverse=True)[:4]
        dropped = [label for label, some in items.items() if len(some) == 4]
        assert all(values[number][label] < sum(best) / len(best) for label in dropped)


@pytest.mark.parametrize("stops", [(1, 9, 3), (14, 2, 2, 20)])
def test_a_run_that_was_stopped_in_its_races_ends_as_one_that_was_not(
    raced: Path, tmp_path: Path, stops: tuple[int, ...]
) -> None:
    folder = make_run(tmp_path, "stopped")
    for stop in stops:
        with pytest.raises(Stopped):
            carry_out(folder, stop_after=stop)
    winner = carry_out(folder)
    assert scores(folder) == scores(raced)
    assert winner == open_store(raced).candidate(open_store(raced).fact("winner")).label


def test_racing_asks_less_than_scoring_everybody_on_everything(raced: Path, tmp_path: Path) -> None:
    whole = make_run(tmp_path, "whole", search={"population": 8, "racing": "off"})
    carry_out(whole)

    def tokens(folder: Path) -> int:
        return sum(e.tokens for c, e in open_store(folder).scored("search", "nf4") if c.kind == "search")

    assert tokens(raced) < 0.5 * tokens(whole)
    store = open_store(whole)
    assert {store.count_items(c.id, "search", "nf4") for c in store.candidates("search")} == {24}


def test_minutes_end_a_race_and_still_give_a_winner(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "short", budget={"evaluations": 100_000, "minutes": 0.12})
    carry_out(folder)
    store = open_store(folder)
    assert store.fact("search_ended") == ["minutes"]
    assert store.fact("winner") is not None
    assert all(store.evaluation(c.id, "test", "nf4") for c in store.candidates("parent"))


@pytest.mark.parametrize("racing", [{"first": 4, "items": 8}, False])
def test_a_search_among_equals_ends_by_itself(tmp_path: Path, racing: Any) -> None:
    """Both sources are the base under other names: every merge is the base again."""
    recipe = write_recipe(tmp_path, **{**RACE, "budget": {"evaluations": 100_000}, "search": {"racing": racing}})
    for source in ("first", "second"):
        shutil.copy(tmp_path / "base" / "model.safetensors", tmp_path / source / "model.safetensors")
    folder = create_run(load_recipe(recipe), out=tmp_path / "run")
    carry_out(folder)
    assert open_store(folder).fact("search_ended") == ["flat"]


def test_early_ends_are_for_the_search_alone(tmp_path: Path) -> None:
    task = {key: value for key, value in TASK.items() if key != "pattern"} | {"scorer": "exact", "gold": "w7"}
    task |= {"fields": {"question": "question", "answer": "answer"}}
    evaluation = {"precision": "nf4", "device": "cpu", "coherence": False, "early_end": True}
    folder = make_run(tmp_path, "early", tasks=[task], evaluation=evaluation)
    setup = prepare(load_recipe(folder / RECIPE), folder)
    assert all(asked.question.decision is None for split in ("validation", "test") for asked in setup.plan.asked[split])
    for asked in setup.plan.asked["search"]:
        assert asked.question.decision is not None
        assert asked.question.decision.references == asked.item.texts("answer")
