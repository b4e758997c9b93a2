"""Choosing sources from a pool, with models whose skills are known: who is taken, who isn't and why, what it asks and costs."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.reopen import reopen
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.selection.select_sources import select_sources
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.view.pool import Selection, read_selection
from support.marked_models import JAPANESE, RIGHT, THIRD, MarkedEvaluator, arithmetic, save_marked, three_skills
from support.tiny_run import scores

USEFUL: dict[str, dict[int, float]] = {"calculates": {RIGHT: 1.0}, "speaks": {JAPANESE: 1.0}}
USELESS: dict[str, dict[int, float]] = {
    "other-skill": {3: 1.0},
    "another-skill": {4: 1.0},
    "turned": {RIGHT: -1.0},
    "forgets-japanese": {JAPANESE: -1.0, 5: 0.5},
    "noise": {6: 2.0},
    "weak": {RIGHT: 0.3, JAPANESE: 0.1, 7: 1.0},
    "harmful": {RIGHT: -0.8, 5: 1.0},
    "half": {4: 0.5, 3: 0.5},
}
Able = Callable[[Mapping[int, float]], int]


def write_pool(place: Path, members: Mapping[str, Mapping[int, float]], **changes: Any) -> Path:
    """A recipe with a pool of these members; its items ask for numbers, in Japanese."""
    base = save_marked(place / "base", {})
    for name, marks in members.items():
        save_marked(place / "pool" / name, marks, base=base)
    items = [{"question": f"w5 {i}", "answer": str(i)} for i in range(90)]
    (place / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    task = {
        "name": "numbers",
        "file": "items.jsonl",
        "fields": {"question": "question", "answer": "answer"},
        "prompt": "{question}",
        "scorer": "final_number",
        "language": "ja",
        "max_new_tokens": 16,
    }
    recipe = {
        "evomerge": 1,
        "name": "marked",
        "base": "./base",
        "pool": ["./pool/*"],
        "tasks": [task],
        "splits": {"search": 40, "validation": 20, "test": 20},
        "budget": {"evaluations": 60},
        "evaluation": {"precision": "bf16", "device": "cpu"},
    }
    path = place / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe, **changes}, sort_keys=False))
    return path


def choose(
    folder: Path, able: Able = arithmetic, before: Callable[[], None] = lambda: None
) -> tuple[Selection, MarkedEvaluator]:
    evaluator, store = MarkedEvaluator(able, before), open_store(folder)
    try:
        select_sources(reopen(folder, read_facts(store)), store, lambda *_: evaluator)
        selection = read_selection(read_facts(store).pool)
    finally:
        store.close()
    assert selection is not None
    return selection, evaluator


@pytest.fixture(scope="module")
def pool_of_ten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pool(tmp_path_factory.mktemp("ten"), {**USEFUL, **USELESS})


@pytest.mark.parametrize("seed", range(3))
def test_two_useful_models_are_found_among_eight(pool_of_ten: Path, tmp_path: Path, seed: int) -> None:
    selection, _ = choose(create_run(load_recipe(pool_of_ten), out=tmp_path / "run", seed=seed))
    assert set(selection.taken) == set(USEFUL)
    assert selection.score == pytest.approx(0.7, abs=0.1)


def test_every_member_is_told_of_with_its_parts_and_a_reason(pool_of_ten: Path, tmp_path: Path) -> None:
    selection, _ = choose(create_run(load_recipe(pool_of_ten), out=tmp_path / "run"))
    told = {member.name: member for member in selection.members}
    assert set(told) == {*USEFUL, *USELESS}
    assert all(member.why for member in told.values())
    calculates, speaks = told["calculates"], told["speaks"]
    assert calculates.score == speaks.score == 0.0, "neither solves an item alone"
    assert calculates.right == pytest.approx(0.7, abs=0.25)
    assert (calculates.language, speaks.language, speaks.right) == (0.0, 1.0, 0.0)
    assert [member.name for member in selection.members][:2] == [name for name in told if name in USEFUL]


def test_a_third_model_is_taken_where_it_adds_something(tmp_path: Path) -> None:
    recipe = write_pool(tmp_path, {**USEFUL, "adds": {THIRD: 1.0}, "other-skill": {3: 1.0}, "turned": {RIGHT: -1.0}})
    selection, _ = choose(create_run(load_recipe(recipe), out=tmp_path / "run"), three_skills)
    assert set(selection.taken) == {*USEFUL, "adds"}
    # the pair that won a race goes on in the next one
    assert selection.tokens == 5 * selection.answers


def test_the_same_models_again_are_left_out_and_of_alike_ones_the_best_stays(tmp_path: Path) -> None:
    members = {"a-copy": {RIGHT: 1.0}, **USEFUL, "too-weak": {JAPANESE: 0.25}, "nothing": {}}
    recipe = write_pool(tmp_path, members)
    selection, evaluator = choose(create_run(load_recipe(recipe), out=tmp_path / "run"))
    told = {member.name: member for member in selection.members}
    assert set(selection.taken) == {"a-copy", "speaks"}
    assert told["calculates"].why == "the same weights as a-copy"
    assert told["calculates"].score is None, "a copy is asked nothing"
    assert "nearly the same change as speaks (cosine 1.00)" in told["too-weak"].why
    assert "the base's own weights" in told["nothing"].why
    alone = [marks for marks, _ in evaluator.asked if marks[RIGHT] == marks[JAPANESE] == 0]
    assert not alone


def test_only_items_of_the_search_are_asked(pool_of_ten: Path, tmp_path: Path) -> None:
    folder = create_run(load_recipe(pool_of_ten), out=tmp_path / "run")
    _, evaluator = choose(folder)
    store = open_store(folder)
    asked = reopen(folder, read_facts(store)).plan.asked
    store.close()
    prompts = {prompt for _, prompt in evaluator.asked}
    assert prompts <= {a.question.prompt for a in asked["search"]}
    assert not prompts & {a.question.prompt for split in ("validation", "test") for a in asked[split]}


def test_a_choice_that_was_killed_again_and_again_ends_like_one_that_was_not(pool_of_ten: Path, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    whole = create_run(load_recipe(pool_of_ten), out=tmp_path / "whole")
    expected, evaluator = choose(whole)
    killed = create_run(load_recipe(pool_of_ten), out=tmp_path / "killed")
    rng, kills = random.Random(5), 0
    while True:
        left = rng.randint(1, 4)

        def before() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed

        try:
            selection, _ = choose(killed, before=before)
            break
        except Killed:
            kills += 1
    assert kills > 3
    assert selection == expected
    assert scores(killed) == scores(whole)
    assert selection.answers == len(evaluator.asked)


def test_answers_count_as_evaluations_of_the_budget(pool_of_ten: Path, tmp_path: Path) -> None:
    folder = create_run(load_recipe(pool_of_ten), out=tmp_path / "run")
    selection, evaluator = choose(folder)
    store = open_store(folder)
    setup = reopen(folder, read_facts(store))
    store.close()
    assert selection.answers == len(evaluator.asked)
    assert selection.tokens == 5 * selection.answers
    # a race's last rung has 9 of 40 items
    spent = -(-selection.answers // 9)
    assert selection.evaluations == spent
    assert setup.recipe.budget.evaluations == max(60 - spent, 30)
    assert set(setup.parents) == set(USEFUL)


def test_members_that_do_not_fit_are_told_of_and_the_others_chosen_from(tmp_path: Path) -> None:
    recipe = write_pool(tmp_path, {**USEFUL, "other-skill": {3: 1.0}})
    config = tmp_path / "pool" / "other-skill" / "config.json"
    config.write_text(config.read_text().replace('"rope_theta": 10000.0', '"rope_theta": 500.0'))
    assert "500.0" in config.read_text()
    (tmp_path / "pool" / "empty").mkdir()
    (tmp_path / "pool" / "empty" / "config.json").write_text("{}")
    shutil.copytree(tmp_path / "base", tmp_path / "pool" / "base-again")
    selection, _ = choose(create_run(load_recipe(recipe), out=tmp_path / "run"))
    told = {member.name: member for member in selection.members}
    assert set(selection.taken) == set(USEFUL)
    assert "rope" in told["other-skill"].why
    assert told["empty"].why
    assert "base's own weights" in told["base-again"].why


def test_a_pool_of_which_nothing_fits_is_refused_with_the_reason(tmp_path: Path) -> None:
    recipe = write_pool(tmp_path, {"calculates": {RIGHT: 1.0}})
    (tmp_path / "pool" / "empty").mkdir()
    (tmp_path / "pool" / "empty" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="1 of 2 models can be merged: empty"):
        create_run(load_recipe(recipe), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_budget_of_minutes_that_is_over_still_ends_in_a_choice(tmp_path: Path) -> None:
    recipe = write_pool(tmp_path, {**USEFUL, "other-skill": {3: 1.0}}, budget={"minutes": 1e-6})
    selection, _ = choose(create_run(load_recipe(recipe), out=tmp_path / "run"))
    assert len(selection.taken) == 2
    assert [member.name for member in selection.members if "not tried" in member.why] == ["speaks"]
