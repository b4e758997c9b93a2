"""Going on from a finished archive: members, their families and what they solve are kept; old sources and new ones breed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.population.evolve import Additions, evolve
from evomerge_core.run.run_folder.folder import open_store, read_store
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.view.archive import read_archive
from evomerge_tui.processes.job import work
from support.command_line import command
from support.tiny_run import SEVENS, save_model, scores, write_recipe

HARNESS = Path(__file__).parents[2] / "support" / "kill_harness.py"

NICHES: dict[str, Any] = {
    "search_space": {},
    "tasks": [SEVENS],
    "splits": {"search": 16, "validation": 8, "test": 10},
    "budget": {"evaluations": 12},
    "search": {"algorithm": "niches", "archive": 6},
    "evaluation": {"precision": "fp32", "device": "cpu"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a third model, a file with another task, and the finished run `run`."""
    place = tmp_path_factory.mktemp("evolve")
    recipe = load_recipe(write_recipe(place, **NICHES))
    save_model(place / "third", 3, save_model(place / "base", 0))
    (place / "more.yaml").write_text(yaml.safe_dump({"tasks": [{**SEVENS, "name": "nines", "pattern": "9"}]}))
    assert work(create_run(recipe, out=place / "run")) == 0
    return place


def archive_of(run: Path) -> Any:
    with closing(read_store(run)) as store:
        return read_archive(store)


def genomes(run: Path) -> dict[str, tuple[float, ...] | None]:
    with closing(read_store(run)) as store:
        return {one.label: one.genome for one in store.candidates()}


def test_members_go_on_with_their_families_and_new_sources_and_tasks_join_them(place: Path) -> None:
    second = evolve(place / "run", Additions(["third"], Path(place / "more.yaml"), place), out=place / "longer")
    assert work(second) == 0
    before, after = archive_of(place / "run"), archive_of(second)
    old, new = genomes(place / "run"), genomes(second)
    bred = [one.label for one in before.members if one.kind != "parent"]
    assert bred
    for label in bred:
        # the old shares, and none of the third model in its two layers
        assert new[f"1-{label}"] == (*(old[label] or ()), 0.0, 0.0)
        assert after.parents.get(f"1-{label}", ()) == tuple(
            one if one in ("first", "second") else f"1-{one}" for one in before.parents.get(label, ())
        )
    assert {task for task, _ in after.items} == {"sevens", "nines"}
    # what a member solved before, it solves again
    with closing(read_store(place / "run")) as one, closing(read_store(second)) as other:
        ids = {c.label: c.id for c in one.candidates()}, {c.label: c.id for c in other.candidates()}
        for label in bred:
            solved = {i.item: i.value for i in one.item_scores(ids[0][label], "search", "fp32")}
            again = other.item_scores(ids[1][f"1-{label}"], "search", "fp32")
            assert solved == {i.item: i.value for i in again if i.task == "sevens"}
        assert read_facts(other).former_runs == (str(place / "run"),)
    third = evolve(second, Additions([], None, place), evaluations=4)
    assert third.name == "longer-3"
    assert work(third) == 0
    last = archive_of(third)
    assert set(after.parents) & {f"1-{label}" for label in bred} <= set(last.parents)
    assert all(label.startswith(("g", "1-", "2-", "uniform", "first", "second", "third")) for label in last.parents)


def test_without_new_models_an_equal_weight_merge_is_kept_once(place: Path) -> None:
    run = evolve(place / "run", Additions([], None, place), out=place / "again", evaluations=4)
    assert work(run) == 0
    merges = [genome for label, genome in genomes(run).items() if "uniform" in label]
    assert len(merges) == len(set(merges)) == 3
    family = archive_of(run).parents
    assert all(not parent.startswith("1-uniform") for parents in family.values() for parent in parents)


@pytest.mark.skipif(os.name == "nt", reason="the harness forks; Windows has no fork")
def test_kills_change_nothing_in_a_run_that_goes_on(place: Path) -> None:
    added = Additions(["third"], place / "more.yaml", place)
    whole, killed = (evolve(place / "run", added, out=place / name, evaluations=8) for name in ("whole", "killed"))
    for folder, rounds in ((whole, 0), (killed, 3)):
        done = subprocess.run(
            [sys.executable, str(HARNESS), str(folder), str(rounds), "2", "3"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
    assert scores(killed) == scores(whole)
    assert archive_of(killed) == archive_of(whole)
    models = [(one / "winner" / "model" / "model.safetensors").read_bytes() for one in (whole, killed)]
    assert models[0] == models[1]


def test_a_founders_recipe_is_shown_before_the_run_begins(place: Path) -> None:
    run = evolve(place / "run", Additions([], None, place), out=place / "shown", evaluations=4)
    label = next(label for label in genomes(run) if label.startswith("1-g"))
    told = command("candidate", run, label, "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["kind"] == "founder"
    assert "merge_method: task_arithmetic" in json.loads(told.stdout)["recipe"]


@pytest.mark.parametrize(
    ("models", "tasks", "line"),
    [
        (["first"], None, "first: is a source of the run already"),
        ([], "recipe.yaml", "recipe.yaml:1: key 'evomerge' is unknown"),
        ([], "items.jsonl", "items.jsonl"),
        ([], "empty.yaml", "empty.yaml:1: key 'tasks' is missing"),
        ([], "same.yaml", "same.yaml:2: key 'tasks[0]' is a task of the run already: 'sevens'"),
        ([], "wrong.yaml", "wrong.yaml:3: key 'tasks[0].scorer'"),
        ([], "outside.yaml", "leads outside"),
        (["nowhere"], None, "nowhere"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_and_makes_no_folder(
    place: Path, models: list[str], tasks: str | None, line: str
) -> None:
    (place / "empty.yaml").write_text("{}\n")
    (place / "same.yaml").write_text(f"tasks:\n- {json.dumps(SEVENS)}\n")
    (place / "wrong.yaml").write_text("tasks:\n- name: x\n  scorer: nonsense\n  file: items.jsonl\n")
    (place / "outside.yaml").write_text("tasks:\n- {name: x, scorer: exact, file: ../items.jsonl}\n")
    with pytest.raises(InputError) as caught:
        evolve(place / "run", Additions(models, None if tasks is None else place / tasks, place), out=place / "refused")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (place / "refused").exists()


def test_items_that_changed_since_are_refused(place: Path) -> None:
    """Of other items some that the members were bred on would be drawn for the test."""
    items = place / "items.jsonl"
    before = items.read_text()
    items.write_text("".join(before.splitlines(keepends=True)[1:]))
    try:
        with pytest.raises(InputError, match="the items of sevens changed since the run began"):
            evolve(place / "run", Additions([], None, place), out=place / "changed")
    finally:
        items.write_text(before)
    assert not (place / "changed").exists()


def test_a_number_that_a_run_was_given_by_its_person_stays(place: Path) -> None:
    shutil.copytree(place / "run", place / "seed-1")
    assert evolve(place / "seed-1", Additions([], None, place)).name == "seed-1-2"


def test_a_run_without_an_archive_and_one_that_is_not_finished_are_refused(place: Path) -> None:
    begun = create_run(load_recipe(place / "recipe.yaml"), out=place / "begun")
    told = command("evolve", begun, "--json")
    assert told.returncode == 2
    assert "finish it with `evomerge-tui resume` first" in json.loads(told.stdout)["error"]
    plain = create_run(load_recipe(write_recipe(place / "plain")), out=place / "plain" / "run")
    with closing(open_store(plain)) as store:
        store.set_facts(state="finished")
    with pytest.raises(InputError, match="has no archive to go on from"):
        evolve(plain, Additions([], None, place))
