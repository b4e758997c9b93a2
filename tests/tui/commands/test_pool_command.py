"""`evomerge-tui pool`, and runs of recipes with a pool, as a person uses them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_core.run.report.content import read_report
from evomerge_core.run.report.markdown import to_markdown
from evomerge_core.run.setup import create_run
from evomerge_core.run.view.progress import read_progress
from evomerge_tui.cli.main import main
from evomerge_tui.processes.job import work
from support.tiny_run import write_recipe


def write_pool_recipe(folder: Path, *pool: object, **changes: Any) -> Path:
    """The tiny recipe with a pool in place of its sources, a copy of one of them, and one that doesn't fit."""
    path = write_recipe(folder, evaluation={"precision": "bf16", "device": "cpu"}, **changes)
    shutil.copytree(folder / "first", folder / "models" / "first")
    shutil.copytree(folder / "first", folder / "models" / "again")
    shutil.copytree(folder / "second", folder / "models" / "second")
    (folder / "models" / "other").mkdir()
    (folder / "models" / "other" / "config.json").write_text("{}")
    data = yaml.safe_load(path.read_text())
    del data["sources"]
    path.write_text(yaml.safe_dump({**data, "pool": list(pool) or ["./models/*"]}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = create_run(load_recipe(write_pool_recipe(tmp_path_factory.mktemp("pool"))))
    assert work(folder) == 0
    return folder


def test_a_run_with_a_pool_goes_on_with_the_chosen_sources_to_its_verdict(finished: Path) -> None:
    report = read_report(finished)
    assert report.state == "finished"
    assert report.pool is not None
    assert set(report.pool.taken) == {"again", "second"}
    kinds = {candidate.kind: candidate.label for candidate in report.scored}
    assert {candidate.label for candidate in report.scored if candidate.kind == "parent"} == {"again", "second"}
    assert "pool" not in kinds, "what the choice asked isn't mixed with the search"
    assert [d for d in report.dimensions if "first" in d[0]] == []
    assert read_progress(finished).winner is not None


def test_the_report_says_who_was_taken_who_was_not_and_why(finished: Path) -> None:
    page = to_markdown(read_report(finished), {})
    assert "Chosen from 4 models: again, second" in page
    assert "| first |  |  |  |  | the same weights as again |" in page
    assert "| other |  |" in page


def test_tokens_of_the_choice_are_counted(finished: Path) -> None:
    connection = sqlite3.connect(finished / "run.db")
    (items,) = connection.execute("SELECT sum(tokens) FROM item_scores WHERE split = 'pool'").fetchone()
    connection.close()
    report = read_report(finished)
    assert report.pool is not None
    assert report.pool.tokens == items > 0
    assert next(part.tokens for part in report.spent if part.part == "pool") == items


def test_the_command_ranks_and_its_folder_can_be_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_pool_recipe(tmp_path / "place")
    tasks = {key: yaml.safe_load(recipe.read_text())[key] for key in ("tasks", "splits")}
    (tmp_path / "place" / "tasks.yaml").write_text(yaml.safe_dump(tasks))
    monkeypatch.chdir(tmp_path / "place" / "models")
    words = ["pool", "first", "second", "--base", "../base", "--tasks", "../tasks.yaml", "--out", str(tmp_path / "kept")]
    assert main([*words, "--json"]) == 0
    *asked, ranking = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["asked"] for line in asked][:2] == ["first alone", "second alone"]
    assert {member["name"]: member["taken"] for member in ranking["members"]} == {"first": True, "second": True}
    assert main([*words, "--json"]) == 0, "what is known is not asked again"
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [ranking]
    assert main(["pool", "first", "again", "--base", "../base", "--tasks", "../tasks.yaml", "--out", words[-1]]) == 2
    assert "other models" in capsys.readouterr().err
    assert main([*words, "--seed", "9"]) == 2
    assert "whose seed differ" in capsys.readouterr().err
    harder = {**tasks, "tasks": [{**tasks["tasks"][0], "prompt": "What is {question}?"}]}
    (tmp_path / "place" / "tasks.yaml").write_text(yaml.safe_dump(harder))
    assert main(words) == 2
    assert "whose tasks differ" in capsys.readouterr().err
    assert {source.name for source in load_recipe(tmp_path / "kept" / "recipe.yaml").pool} == {"first", "second"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sources": ["./first"]}, "key 'pool' can't be combined with sources"),
        ({"pool": []}, "key 'sources' is missing"),
        ({"pool": ["./nothing/*"]}, "pool: ./nothing/*: no model or adapter is there"),
        ({"pool": [{"model": "./models/*", "name": "all"}]}, "has a name, but stands for"),
        ({"pool": ["../elsewhere"]}, "leads outside the recipe's folder"),
        ({"pool": [5]}, "key 'pool[0]' must be"),
        ({"pool": "./models"}, "key 'pool' must be a list"),
        ({"paths": {}}, "key 'paths': can't be combined with pool"),
        ({"tokenizer_source": "first"}, "key 'tokenizer_source': must be base with a pool"),
    ],
)
def test_what_is_wrong_with_a_pool_is_one_line(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    path = write_pool_recipe(tmp_path / "place")
    data = yaml.safe_load(path.read_text())
    if "paths" in changes:
        del data["search_space"]
    path.write_text(yaml.safe_dump({**data, **changes}, sort_keys=False))
    with pytest.raises(InputError) as caught:
        create_run(load_recipe(path))
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "place" / "runs").exists()


def test_a_recipe_with_a_pool_is_written_and_read_back_the_same(tmp_path: Path) -> None:
    recipe = load_recipe(write_pool_recipe(tmp_path / "place"))
    text = dump_recipe(recipe)
    assert "sources" not in yaml.safe_load(text)
    (tmp_path / "again.yaml").write_text(text)
    assert dump_recipe(load_recipe(tmp_path / "again.yaml")) == text


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--recipe", "recipe.yaml"], "no models are named"),
        (["a", "--tasks", "tasks.yaml"], "--base: is missing"),
        (["--base", "base", "--tasks", "tasks.yaml"], "MODELS: is missing"),
        (["nowhere", "--recipe", "recipe.yaml"], "nowhere"),
    ],
)
def test_what_is_missing_on_the_command_line_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], problem: str
) -> None:
    write_recipe(tmp_path)
    (tmp_path / "tasks.yaml").write_text("tasks: []\n")
    monkeypatch.chdir(tmp_path)
    assert main(["pool", *words]) == 2
    assert problem in capsys.readouterr().err


def test_preflight_tells_who_will_be_left_out_and_lets_the_others_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_pool_recipe(tmp_path / "place")
    shutil.copytree(tmp_path / "place" / "base", tmp_path / "place" / "models" / "base")
    config = tmp_path / "place" / "models" / "second" / "config.json"
    config.write_text(config.read_text().replace('"rope_theta": 10000.0', '"rope_theta": 500.0'))
    assert main(["preflight", str(recipe), "--json"]) == 0
    checks = [check for check in json.loads(capsys.readouterr().out)["checks"] if check["subject"] == "Pool"]
    told = {check["text"].split()[0]: check["state"] for check in checks if "left out" in check["text"]}
    assert told == {"other": "warning", "second": "warning"}
    assert "3 models" in checks[-1]["text"]
    assert checks[-1]["state"] == "ok"


def test_preflight_refuses_a_pool_of_which_nothing_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_pool_recipe(tmp_path / "place", "./models/other", "./models/first")
    assert main(["preflight", str(recipe), "--json"]) != 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert any(check["state"] == "problem" and "1 of 2 models can be merged" in check["text"] for check in checks)
