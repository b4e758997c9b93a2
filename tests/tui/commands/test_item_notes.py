"""How an item file was read is shown before a run: in the preview of the goal step, in preflight, and by `try`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.widget import Widget
from textual.widgets import Input, Select

from evomerge_core.recipe.load import load_recipe
from evomerge_core.tasks.spec import Splits, TaskSpec
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.preflight import preflight
from evomerge_tui.cli.main import main
from evomerge_tui.processes.planner.own_file import suggest_task
from evomerge_tui.processes.planner.preview import preview
from evomerge_tui.screens.new_run.goal.task_form import TaskEdited, TaskForm
from evomerge_tui.screens.new_run.goal.task_preview import preview_text
from support.tiny_run import write_recipe

LAPTOP = Capacity("cpu", "a laptop", 4, 16 * 10**9, 12 * 10**9)
SIZES = Splits(search=2, validation=1, test=1).model_dump()
NOTES = ("answers are read as indexes from 0", "2 of 62 items repeat an earlier one and are left out")
QUIZ = {
    "name": "quiz", "file": "quiz.jsonl", "prompt": "{question}", "scorer": "multiple_choice", "choices": "choices",
}  # fmt: skip


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _quiz(folder: Path) -> Path:
    rows = [{"question": f"w{n}", "choices": ["w1", "w2", "w3"], "answer": n % 3} for n in range(60)]
    return _write(folder / "quiz.jsonl", [*rows, rows[7], rows[8]])


def test_the_preview_marks_the_correct_choice_and_says_how_the_file_was_read(tmp_path: Path) -> None:
    _quiz(tmp_path)
    shown = preview(TaskSpec.model_validate(QUIZ), SIZES, tmp_path, None)
    assert (shown.notes, shown.total) == (NOTES, 60)
    number = int(str(shown.items[0].fields["question"]).removeprefix("w"))
    _, body = preview_text(dataclasses.asdict(shown), 0)
    lines = body.plain.splitlines()
    assert [line for line in lines if line.startswith("✓")] == [f"✓ w{number % 3 + 1}"]
    assert all(note in lines for note in NOTES)


def test_preflight_and_try_say_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path / "place", tasks=[QUIZ])
    _quiz(recipe.parent)
    checks = preflight(load_recipe(recipe), capacity=LAPTOP, out=tmp_path / "run").checks
    (task,) = [check for check in checks if check.subject == "Task quiz"]
    assert all(note in task.text for note in NOTES)
    assert main(["try", str(recipe), "--items", "2"]) == 0
    said = capsys.readouterr().out
    assert all(f"quiz: {note}" in said for note in NOTES)
    assert main(["try", str(recipe), "--items", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["notes"] == {"quiz": list(NOTES)}


class _Form(App[None]):
    """The form for one task, and what it posted last."""

    def __init__(self) -> None:
        super().__init__()
        self.edited: dict[str, Any] = {}

    def compose(self) -> Iterator[Widget]:
        yield TaskForm()

    def on_task_edited(self, event: TaskEdited) -> None:
        self.edited = event.task


@pytest.mark.anyio
async def test_the_form_settles_what_answers_mean() -> None:
    app = _Form()
    async with app.run_test() as pilot:
        app.query_one(TaskForm).show({"name": "quiz", "file": "quiz.jsonl", "fields": {"question": "q", "answer": "a"}})
        app.query_one("#field-choices", Input).value = "choices.text"
        app.query_one("#task-answer_is", Select).value = "index_from_1"
        app.query_one("#task-scorer", Select).value = "multiple_choice"
        await pilot.pause()
    spec = TaskSpec.model_validate(app.edited)
    assert (dict(spec.fields or {})["choices"], spec.choices, spec.answer_is) == ("choices.text", "choices", "index_from_1")


@pytest.mark.anyio
async def test_the_form_takes_a_column_for_each_choice() -> None:
    app = _Form()
    async with app.run_test() as pilot:
        app.query_one(TaskForm).show({"name": "quiz", "file": "quiz.csv", "fields": {"question": 0, "answer": 5}})
        app.query_one("#field-choices", Input).value = "1, 2,3"
        app.query_one("#task-scorer", Select).value = "multiple_choice"
        await pilot.pause()
        edited = app.edited
        app.query_one(TaskForm).show({**edited, "fields": {**edited["fields"], "choices": ["A", "B"]}})
        assert app.query_one("#field-choices", Input).value == "A, B"
    assert dict(TaskSpec.model_validate(edited).fields or {})["choices"] == (1, 2, 3)


ANSWER = {"text": ["Ann"], "answer_start": [3]}
TARGETS = {"choices": ["x", "y"], "labels": [0, 1]}


@pytest.mark.parametrize(
    ("row", "fields", "scorer"),
    [
        ({"question": "q", "answer": "12 cm"}, {"question": "question", "answer": "answer"}, "final_number"),
        ({"question": "q", "answer": "3 or 4"}, {"question": "question", "answer": "answer"}, "normalized"),
        (
            {"question": "q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"},
            {"question": "question", "answer": "answerKey", "choices": "choices.text"},
            "multiple_choice",
        ),
        (
            {"ctx": "q", "endings": ["x", "y"], "label": "1"},
            {"question": "ctx", "answer": "label", "choices": "endings"},
            "multiple_choice",
        ),
        (
            {"question": "q", "mc1_targets": TARGETS},
            {"question": "question", "answer": "mc1_targets.labels", "choices": "mc1_targets.choices"},
            "multiple_choice",
        ),
        (
            {"context": "c", "question": "q", "answers": ANSWER},
            {"question": "question", "answer": "answers.text", "context": "context"},
            "normalized",
        ),
        (
            {"question": "q", "options": {"A": "x", "B": "y"}, "answer": "y", "answer_idx": "B"},
            {"question": "question", "answer": "answer", "choices": "options"},
            "multiple_choice",
        ),
        (
            {"question": "q", "A": "x", "B": "y", "C": "z", "answer": "B"},
            {"question": "question", "answer": "answer", "choices": ["A", "B", "C"]},
            "multiple_choice",
        ),
        (
            {"sentence": "q", "option1": "x", "option2": "y", "answer": "2"},
            {"question": "sentence", "answer": "answer", "choices": ["option1", "option2"]},
            "multiple_choice",
        ),
        (
            {"question": "q", "opa": "x", "opb": "y", "opc": "z", "opd": "w", "cop": 1, "subject_name": "s"},
            {"question": "question", "answer": "cop", "choices": ["opa", "opb", "opc", "opd"]},
            "multiple_choice",
        ),
        # what is asked about isn't what can be chosen
        (
            {"question": "q", "a": 7, "b": 8, "answer": 15},
            {"question": "question", "answer": "answer"},
            "final_number",
        ),
    ],
    ids=["GSM8K", "text", "ARC", "HellaSwag", "TruthfulQA", "SQuAD", "MedQA", "MMLU", "Winogrande", "MedMCQA", "operands"],
)
def test_a_file_of_a_known_layout_gives_a_task_that_reads_it(
    tmp_path: Path, row: dict[str, Any], fields: dict[str, Any], scorer: str
) -> None:
    question = fields["question"]
    rows = [{**row, question: f"{row[question]} {n}"} for n in range(4)]
    if "label" in row:
        rows[0]["label"] = "0"
    if "cop" in row:
        rows[0]["cop"] = 0
    path = _write(tmp_path / "own.jsonl", rows)
    task = suggest_task(path)
    assert (task["fields"], task["scorer"]) == (fields, scorer)
    shown = preview(TaskSpec.model_validate(task), SIZES, tmp_path, None)
    assert shown.total == 4
    if scorer == "multiple_choice":
        for item in shown.items:
            first = ("label" in row or "cop" in row) and item.prompt == "q 0"
            assert item.right == (0 if first else 1)


def test_a_table_without_names_whose_last_column_is_a_letter_is_mmlus(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("".join(f"q{n},x,y,z,w,B\n" for n in range(4)), encoding="utf-8")
    task = suggest_task(path)
    assert task["fields"] == {"question": 0, "choices": [1, 2, 3, 4], "answer": 5}
    shown = preview(TaskSpec.model_validate(task), SIZES, tmp_path, None)
    assert [(item.choices, item.right) for item in shown.items[:1]] == [(("x", "y", "z", "w"), 1)]
