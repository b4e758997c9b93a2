"""The preflight checklist: every problem with its remedy, before anything is downloaded, read or written."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.recipe.load import load_recipe
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.machine.timings import read_timings
from evomerge_quant.planning.preflight import Preflight, preflight
from evomerge_quant.planning.workload import workload
from evomerge_tui.cli.main import main
from evomerge_tui.user.user_paths import timings_path
from support.tiny_run import save_model, write_recipe

LAPTOP = Capacity("cpu", "a laptop", 4, 16 * 10**9, 12 * 10**9)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("good")).parent


@pytest.fixture
def place(good: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(good, tmp_path / "place"))


def rewrite(place: Path, **changes: Any) -> None:
    path = place / "recipe.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}, sort_keys=False))


def task(place: Path, **changes: Any) -> None:
    (old,) = yaml.safe_load((place / "recipe.yaml").read_text())["tasks"]
    rewrite(place, tasks=[{**old, **changes}])


def report(place: Path, capacity: Capacity = LAPTOP) -> Preflight:
    return preflight(load_recipe(place / "recipe.yaml"), capacity=capacity, out=place / "run")


def card(folder: Path, licence: str) -> None:
    (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n")


def no_template(place: Path) -> None:
    path = place / "base" / "tokenizer_config.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "chat_template"}))


def full_folder(place: Path) -> None:
    (place / "run").mkdir()
    (place / "run" / "thesis.txt").write_text("precious")


def licences(place: Path, *names: str) -> None:
    for folder, name in zip(("base", "first", "second"), names, strict=True):
        card(place / folder, name)


CASES: dict[str, tuple[Callable[[Path], Any], str, str, str]] = {
    "a missing source": (lambda p: shutil.rmtree(p / "second"), "problem", "Models", "no such folder"),
    "another width": (lambda p: save_model(p / "second", 1, intermediate_size=96), "problem", "Compatibility", "is 96"),
    "a path outside": (lambda p: rewrite(p, sources=["../x", "./second"]), "problem", "Paths", "leads outside"),
    "too few items": (lambda p: rewrite(p, splits={"search": 90, "test": 20}), "problem", "Task numbers", "there are 60"),
    "no items": (lambda p: (p / "items.jsonl").unlink(), "problem", "Task numbers", "no such item file"),
    "no chat template": (no_template, "problem", "Chat template", "has no chat template"),
    "long answers": (lambda p: task(p, max_new_tokens=1000), "problem", "Length", "the model has 128 positions"),
    "a full run folder": (full_folder, "problem", "Run folder", "is not empty"),
    "too many bands": (lambda p: rewrite(p, search_space={"groups": {"bands": 5}}), "problem", "Search", "only 2 layers"),
    "no licence": (lambda _: None, "warning", "Licences", "not all models' cards name one"),
    "two licences": (lambda p: licences(p, "mit", "mit", "apache-2.0"), "warning", "Licences", "disagree: apache-2.0, mit"),
    "a narrow licence": (lambda p: licences(p, *["cc-by-nc-4.0"] * 3), "warning", "Licences", "narrows"),
    "one licence": (lambda p: licences(p, *["mit"] * 3), "ok", "Licences", "mit for all"),
    "few generations": (lambda p: rewrite(p, budget={"evaluations": 9}), "warning", "Search", "1.1 generations"),
    "a language": (lambda p: task(p, language="ja"), "ok", "Language", "only in 'ja'"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_check_tells_state_and_reason(case: str, place: Path) -> None:
    spoil, state, subject, words = CASES[case]
    spoil(place)
    found = [check for check in report(place).checks if (check.state, check.subject) == (state, subject)]
    assert any(words in check.text for check in found), report(place).checks
    assert all(check.remedy for check in found if check.state != "ok")


def test_all_is_well_with_a_good_recipe(place: Path) -> None:
    found = report(place)
    assert found.ready
    assert found.estimate is not None
    assert found.estimate.download == 0
    assert not (place / "run").exists()


def test_every_problem_is_reported_not_only_the_first(place: Path) -> None:
    shutil.rmtree(place / "second")
    task(place, max_new_tokens=1000)
    full_folder(place)
    assert {"Models", "Length", "Run folder"} <= {check.subject for check in report(place).checks if check.state == "problem"}


def test_a_run_folder_that_could_not_be_made_is_a_problem(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o500)
    outs = {place / "items.jsonl" / "run": "is no folder"}
    if not os.access(closed, os.W_OK):  # root may write everywhere
        outs |= {closed: "Permission denied", closed / "deep" / "run": "Permission denied"}
    for out, why in outs.items():
        checks = preflight(load_recipe(place / "recipe.yaml"), capacity=LAPTOP, out=out).checks
        (check,) = [check for check in checks if check.subject == "Run folder"]
        assert check.state == "problem"
        assert why in check.text
        assert "--out" in check.remedy


def test_too_little_memory_and_disk_are_problems(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tight = Capacity("cpu", "a watch", 1, 10**9, 10**8)
    assert ("problem", "RAM") in {(check.state, check.subject) for check in report(place, tight).checks}
    card = Capacity("cuda", "a card", 8, 32 * 10**9, 30 * 10**9, 10**8, 10**8, 40)
    assert ("problem", "VRAM") in {(check.state, check.subject) for check in report(place, card).checks}
    # a full disk can't be had in a test
    usage = shutil.disk_usage(place)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    (disk,) = [check for check in report(place).checks if check.subject == "Disk"]
    assert disk.state == "problem"
    assert "HF_HOME" in disk.remedy


def test_the_command_prints_the_list_and_says_by_its_status(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preflight", str(place / "recipe.yaml"), "--out", str(place / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ready"] is True
    shutil.rmtree(place / "second")
    assert main(["preflight", str(place / "recipe.yaml"), "--out", str(place / "run")]) == 1
    said = capsys.readouterr().out
    assert "✗ problem" in said
    assert "check the path" in said


def test_try_scores_base_and_parents_and_shows_their_answers(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", str(place / "recipe.yaml"), "--items", "3", "--json"]) == 0
    *each, everything = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [parent["label"] for parent in each] == ["base", "first", "second"]
    assert [parent["label"] for parent in everything["parents"]] == ["base", "first", "second"]
    assert all(len(parent["answers"]) == 3 and 0 <= parent["score"] <= 1 for parent in each)
    assert main(["try", str(place / "recipe.yaml"), "--items", "0"]) == 2
    assert "--items 0" in capsys.readouterr().err


def test_the_work_that_is_planned_is_the_work_of_a_real_run(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    recipe = load_recipe(finished[0] / "recipe.yaml")
    work = workload(recipe, "cpu")
    connection = sqlite3.connect(finished[0] / "run.db")
    references = connection.execute("SELECT count(*) FROM candidates WHERE kind IN ('parent', 'uniform')").fetchone()[0]
    finals = connection.execute("SELECT count(*) FROM evaluations WHERE split = 'validation'").fetchone()[0]
    tests = connection.execute("SELECT count(*) FROM evaluations WHERE split = 'test'").fetchone()[0]
    connection.close()
    assert references == work.references
    assert finals == work.precisions * (work.finalists + work.references)
    assert tests == work.precisions * (work.references + 1)


def test_a_finished_run_is_remembered_for_the_next_estimate(place: Path) -> None:
    """The job itself writes it down: here a whole one is carried out."""
    from evomerge_core.run.setup import create_run
    from evomerge_tui.processes.job import work

    rewrite(place, budget={"evaluations": 2}, splits={"search": 4, "validation": 2, "test": 4})
    folder = create_run(load_recipe(place / "recipe.yaml"), out=place / "run")
    assert work(folder) == 0
    (known,) = read_timings(timings_path())
    connection = sqlite3.connect(folder / "run.db")
    join = "evaluations e JOIN candidates c ON c.id = e.candidate"
    query = f"SELECT e.seconds FROM {join} WHERE c.kind = 'search' AND split = 'search'"
    seconds = [row[0] for row in connection.execute(query)]
    connection.close()
    assert min(seconds) <= known.seconds <= max(seconds)
    assert (known.items, known.precision, known.sources, known.tasks) == (4, "nf4", 2, ("numbers",))
