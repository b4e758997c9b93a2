"""Candidates are scored again as files, by the run's own tasks, and the best file wins whatever the search thought."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from gguf import GGMLQuantizationType
from transformers import AutoModelForCausalLM, AutoTokenizer

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.setup import Setup, create_run, prepare
from evomerge_core.run.store.records import Candidate, Evaluation
from evomerge_quant.gguf.progress import ExportStep, OnStep
from evomerge_quant.gguf.rescore import rescore, score_file
from evomerge_quant.gguf.subject.run_subject import subject_of_candidate
from evomerge_tui.cli.main import main
from support.tiny_gguf import save_folder, write_gguf

QUESTIONS = [f"the cat sat on {number} mats" for number in range(100)]
ENCODING = "Q8_0"


def answers(folder: Path) -> dict[str, str]:
    """What transformers' greedy generation says to each question."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    said = {}
    for question in QUESTIONS:
        messages = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer.encode(prompt, add_special_tokens=False)])
        out = model.generate(ids, do_sample=False, max_new_tokens=4, eos_token_id=[0, 2], pad_token_id=0)
        said[question] = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    return said


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run. The right answers are those of the parent `first`; the search, on few items, thought more of `second`."""
    place = tmp_path_factory.mktemp("rescore")
    for seed, name in enumerate(("base", "first", "second")):
        save_folder(place / name, seed=seed)
    right = answers(place / "first")
    items = [{"question": q, "answer": a} for q, a in right.items() if a.strip() and "\ufffd" not in a]
    assert len(items) > 16
    (place / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items[:17]))
    recipe: dict[str, Any] = {
        "evomerge": 1,
        "name": "cross",
        "base": "./base",
        "sources": ["./first", "./second"],
        "search_space": {"method": "task_arithmetic", "groups": "whole", "fixed": {"normalize": False}},
        "tasks": [
            {"name": "echo", "file": "items.jsonl", "fields": {"question": "question", "answer": "answer"},
             "prompt": "{question}", "scorer": "exact", "max_new_tokens": 4}
        ],
        "splits": {"search": 4, "validation": 12, "test": 1},
        "budget": {"evaluations": 3},
        "evaluation": {"precision": "nf4"},
    }  # fmt: skip
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    folder = create_run(load_recipe(place / "recipe.yaml"), out=place / "run")
    (folder / "winner").mkdir()
    store = open_store(folder)
    found = {}
    for number, (genome, score) in enumerate({(0.5, 0.5): 0.0, (0.0, 1.0): 0.75, (1.0, 0.0): 0.5}.items()):
        label = f"g1.{number + 1}"
        found[label] = store.add_candidate("search", label, generation=0, position=number, genome=genome)
        store.save_evaluation(found[label].id, "search", "nf4", Evaluation(score, 1.0, None, 1.0, 10), [])
    store.set_facts(winner=found["g1.2"].id, state="finished")
    store.close()
    return folder


@pytest.fixture(scope="module")
def setup(run: Path) -> Setup:
    return prepare(load_recipe(run / RECIPE), run)


class Maker:
    """Makes real files of real merges, and counts them."""

    def __init__(self, run: Path, setup: Setup) -> None:
        self.run = run
        self.setup = setup
        self.made: list[str] = []

    def __call__(self, candidate: Candidate, folder: Path, on_step: OnStep) -> Path:
        on_step(ExportStep("merge"))
        merge = subject_of_candidate(self.setup, self.run, candidate).merge
        assert merge is not None
        merge(folder / candidate.label)
        self.made.append(candidate.label)
        return write_gguf(folder / candidate.label, folder / f"{candidate.label}.gguf", kind=GGMLQuantizationType.Q8_0)


@pytest.fixture(scope="module")
def rescored(run: Path, setup: Setup) -> dict[str, Any]:
    make, steps = Maker(run, setup), list[str]()
    found = rescore(run, setup, 2, ENCODING, make, lambda step: steps.append(step.what))
    return {"found": found, "made": make.made, "steps": steps}


def test_the_best_file_wins(rescored: dict[str, Any]) -> None:
    found = rescored["found"]
    assert (found.best, found.winner) == ("g1.3", "g1.2")
    rows = {row.label: row for row in found.rows}
    assert list(rows) == ["g1.2", "g1.3"]
    assert (rows["g1.2"].search, rows["g1.3"].search) == (0.75, 0.5)
    # its answers are the right ones, but where eight bits tip a balance
    assert rows["g1.3"].file >= 0.5
    assert rows["g1.2"].file <= 0.25
    assert rescored["steps"] == [
        f"rescore g1.{n} ({i} of 2): {what}" for i, n in ((1, 2), (2, 3)) for what in ("merge", "score")
    ]


def test_the_scores_are_in_the_store_and_the_table_beside_the_winner(run: Path, rescored: dict[str, Any]) -> None:
    written = json.loads((run / "winner" / "rescored.json").read_text())
    assert written["best"] == "g1.3"
    assert [row["label"] for row in written["rows"]] == ["g1.2", "g1.3"]
    store = open_store(run)
    for row, candidate in zip(rescored["found"].rows, (store.candidate(2), store.candidate(3)), strict=True):
        evaluation = store.evaluation(candidate.id, "validation", ENCODING)
        items = store.item_scores(candidate.id, "validation", ENCODING)
        assert evaluation is not None
        assert evaluation.score == row.file == pytest.approx(sum(i.value for i in items) / 12)
    store.close()


def test_a_file_that_may_be_the_best_is_refused_before_anything_is_made(
    run: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    place = run / "winner" / "gguf"
    place.mkdir()
    third = subject_of_candidate(setup, run, named(run, "g1.3"))
    taken = place / third.name.file_name("Q8_0")
    taken.write_bytes(b"mine")
    assert main(["export", str(run), "--type", "Q8_0", "--rescore", "2"]) == 2
    said = capsys.readouterr()
    assert said.err == f"error: {taken}: already exists; remove it, or give another place with --out\n"
    assert "rescore" not in said.out
    taken.unlink()
    place.rmdir()


def named(run: Path, label: str) -> Candidate:
    store = open_store(run)
    found = {candidate.label: candidate for candidate in store.candidates()}
    store.close()
    return found[label]


def test_nothing_is_left_but_what_is_asked_for(run: Path, rescored: dict[str, Any]) -> None:
    assert rescored["made"] == ["g1.2", "g1.3"]
    assert not [*run.rglob("*.gguf"), *run.glob(".rescore*")]


def test_a_second_call_only_does_what_is_missing_and_keeps_the_winner_in(
    run: Path, setup: Setup, rescored: dict[str, Any]
) -> None:
    make = Maker(run, setup)
    again = rescore(run, setup, 3, ENCODING, make, lambda _: None)
    assert make.made == ["g1.1"]
    assert again.best == rescored["found"].best
    alone = rescore(run, setup, 1, ENCODING, make, lambda _: None)
    assert [row.label for row in alone.rows] == [alone.winner] == [alone.best]


def test_an_interrupted_rescoring_leaves_nothing_half_made(run: Path, setup: Setup) -> None:
    class Interrupted(Maker):
        def __call__(self, candidate: Candidate, folder: Path, on_step: OnStep) -> Path:
            super().__call__(candidate, folder, on_step)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rescore(run, setup, 2, "F16", Interrupted(run, setup), lambda _: None)
    assert not [*run.rglob("*.gguf"), *run.glob(".rescore*")]


def test_a_file_is_scored_as_the_run_scores(run: Path, setup: Setup, tmp_path: Path) -> None:
    file = write_gguf(run.parent / "first", tmp_path / "first.gguf")
    evaluation, items = score_file(setup, file, "validation")
    assert evaluation.score is not None
    assert evaluation.score >= 0.75
    assert evaluation.tokens == sum(i.tokens for i in items)
    assert {i.item for i in items} == {a.item.id for a in setup.plan.asked["validation"]}


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_without_sense_is_refused(run: Path, setup: Setup, count: int) -> None:
    with pytest.raises(InputError, match="--rescore"):
        rescore(run, setup, count, ENCODING, Maker(run, setup), lambda _: None)


def test_a_run_without_winner_is_refused(run: Path, setup: Setup, tmp_path: Path) -> None:
    unfinished = create_run(load_recipe(run.parent / "recipe.yaml"), out=tmp_path / "run")
    with pytest.raises(InputError, match="no winner yet"):
        rescore(unfinished, setup, 2, ENCODING, Maker(run, setup), lambda _: None)
