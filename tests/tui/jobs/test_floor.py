"""Runs in which no search can win: what is free is then the winner, or none is declared, and everything that is shown says so.

The correct answers are what a reference itself says (greedy, in fp32), so that nothing can be better than it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.setup import create_run
from evomerge_core.run.view.progress import read_progress
from evomerge_tui.cli.output.live_status import plain_sentences
from evomerge_tui.processes.job import work
from evomerge_tui.screens.dashboard.run_standing import verdict
from support.command_line import command
from support.tiny_run import write_recipe

ASKED = {
    "name": "words",
    "file": "items.jsonl",
    "fields": {"question": "question", "answer": "answer"},
    "prompt": "{question}",
    "scorer": "exact",
    "max_new_tokens": 32,  # long answers, so that merging costs little beside them and a final has two rungs
}
CHANGES: dict[str, Any] = {
    "tasks": [ASKED],
    "splits": {"search": 12, "validation": 16, "test": 24},
    "evaluation": {"precision": "fp32", "device": "cpu"},
}


def carried_out(folder: Path) -> tuple[Path, dict[str, Any]]:
    run = create_run(load_recipe(folder / "recipe.yaml"), out=folder / "run")
    assert work(run) == 0, read_progress(run).message
    result: dict[str, Any] = json.loads((run / "winner" / "result.json").read_text(encoding="utf-8"))
    return run, result


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose references have answered every item in the search."""
    folder = tmp_path_factory.mktemp("answered")
    write_recipe(folder, **{**CHANGES, "splits": {"search": 58, "validation": 1, "test": 1}, "budget": {"evaluations": 2}})
    return carried_out(folder)[0]


def asked_what_it_says(answered: Path, folder: Path, label: str) -> tuple[Path, dict[str, Any]]:
    """A finished run whose correct answers are the answers of one reference."""
    shutil.copytree(answered.parent, folder, ignore=shutil.ignore_patterns("run"))
    store = open_store(answered)
    reference = next(one for one in store.candidates() if one.label == label)
    said = {item.item: item.answer for item in store.item_scores(reference.id, "search", "fp32")}
    store.close()
    from evomerge_core.run.view.asked_texts import read_asked_texts

    questions = {item: text.prompt for (_, item), text in read_asked_texts(answered).items()}
    items = [{"question": questions[item], "answer": answer} for item, answer in said.items()]
    write_recipe(folder, **{**CHANGES, "budget": {"evaluations": 18}})
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return carried_out(folder)


@pytest.fixture(scope="module")
def merge_is_best(answered: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    return asked_what_it_says(answered, tmp_path_factory.mktemp("merge") / "best", "uniform 0.75")


@pytest.fixture(scope="module")
def parent_is_best(answered: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    return asked_what_it_says(answered, tmp_path_factory.mktemp("parent") / "best", "second")


def test_an_equal_weight_merge_that_is_best_is_the_winner(merge_is_best: tuple[Path, dict[str, Any]]) -> None:
    run, result = merge_is_best
    winner = result["winner"]
    assert (winner["name"], winner["kind"], winner["validation"], winner["test"]) == ("uniform 0.75", "uniform", 1.0, 1.0)
    assert set(winner["genome"].values()) == {0.75}
    assert "uniform 0.75" not in {one["against"] for one in result["against"]}
    begins = "the search found nothing better than equal weights 0.75; that merge is the winner"
    assert result["conclusion"].startswith(begins)
    assert any(begins in line for line in plain_sentences(read_progress(run)))
    assert verdict(result).plain.startswith(begins)
    assert begins in " ".join(command("status", run).stdout.split())
    report = run.parent / "report"
    assert command("report", run, "--out", report).returncode == 0
    text = (report / "report.md").read_text(encoding="utf-8")
    assert begins[4:] in text
    assert text.count("| uniform 0.75 |") == 0
    assert "| **uniform 0.75** |" in text
    last = command("resume", run).stdout
    assert " ".join(last.split()).endswith(result["conclusion"])


def test_it_is_written_as_a_model_that_its_recipe_makes_again(
    merge_is_best: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    run, _ = merge_is_best
    assert command("merge", run / "winner" / "mergekit_config.yml", tmp_path / "again").returncode == 0
    again = (tmp_path / "again" / "model.safetensors").read_bytes()
    assert again == (run / "winner" / "model" / "model.safetensors").read_bytes()


def test_the_search_began_at_the_merge_that_the_references_showed_to_be_best(
    merge_is_best: tuple[Path, dict[str, Any]],
) -> None:
    store = open_store(merge_is_best[0])
    merge = next(one for one in store.candidates("uniform") if one.label == "uniform 0.75")
    assert store.fact("starts") == [list(merge.genome or ())]
    store.close()


def test_where_a_parent_is_best_no_winner_is_declared(parent_is_best: tuple[Path, dict[str, Any]]) -> None:
    run, result = parent_is_best
    assert result["leading_parent"] == "second"
    assert not result["declared"]
    assert not result["better"]
    assert result["conclusion"].startswith(
        "no winner is declared: on the validation items the parent second is at least as good"
    )
    assert result["winner"]["name"] != "second"
    # the best that was made is there for a person to look at
    assert (run / "winner" / "model" / "model.safetensors").is_file()
    assert verdict(result).plain.startswith("no winner is declared")


def test_what_is_hopeless_is_shown_with_the_items_that_it_was_asked(merge_is_best: tuple[Path, dict[str, Any]]) -> None:
    run, _ = merge_is_best
    store = open_store(run)
    asked = {o.label: o.items for o in store.outcomes(split="validation")}
    store.close()
    assert asked["uniform 0.75"] == 16
    dropped = next(label for label, items in asked.items() if items == 8)
    told = json.loads(command("candidate", run, dropped, "--json").stdout.splitlines()[-1])
    assert [one["items"] for one in told["scores"] if one["split"] == "validation"] == [8]
    # compared on what both were asked
    test = next(o for o in told["against"] if (o["split"], o["against"]) == ("validation", "uniform 0.75"))
    assert test["losses"] <= 8


def test_what_was_known_before_the_test_is_told(merge_is_best: tuple[Path, dict[str, Any]]) -> None:
    run, result = merge_is_best
    known = result["expected"]["fp32"]
    assert (known["search"], known["validation"]) == (1.0, 1.0)
    # it answers everything correctly: whatever is left out of the choice, too
    assert known["expected"] == 1.0
    told = "validation 100.0 %, next to nothing of it luck; expect about 100 % on new items"
    status = json.loads(command("status", run, "--json").stdout)
    assert (status["chosen"], status["expectation"]) == ("uniform 0.75", told)
    store = open_store(run)
    kinds = [(kind, data) for _, _, kind, data in store.events()]
    store.close()
    chosen = next(number for number, (kind, _) in enumerate(kinds) if kind == "chosen")
    tested = [number for number, (kind, data) in enumerate(kinds) if kind == "evaluation" and data["split"] == "test"]
    assert chosen < min(tested)
