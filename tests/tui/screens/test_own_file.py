"""Suggestions for a person's own file: choices and what points at one of them are multiple choice, whatever they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evomerge_tui.processes.planner.own_file import suggest_task


def _write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("choices", ["choices", "options", "candidates"])
@pytest.mark.parametrize("answer", ["answer", "answer_index", "label", "correct_idx", "goldIndex", "solution"])
@pytest.mark.parametrize("named_by", ["index", "letter", "text"])
def test_choices_and_what_names_one_are_multiple_choice(choices: str, answer: str, named_by: str, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for number in range(6):
        texts = [f"{number} of them", f"{number + 1} of them", f"{number + 2} of them"]
        right = {"index": number % 3, "letter": "ABC"[number % 3], "text": texts[number % 3]}[named_by]
        rows.append({"id": 7000 + number, "question": f"How many are {number}?", choices: texts, answer: right})
    task = suggest_task(_write(tmp_path / "mine.jsonl", rows))
    assert task["scorer"] == "multiple_choice"
    assert task["fields"] == {"question": "question", "answer": answer, "choices": choices}


def test_a_list_that_no_answer_points_into_is_no_choice(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"question": f"q{n}", "tags": ["a", "b"], "answer": f"free words {n}"} for n in range(5)]
    task = suggest_task(_write(tmp_path / "mine.jsonl", rows))
    assert task["fields"] == {"question": "question", "answer": "answer"}


def test_an_explanation_gives_way_to_the_index(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"question": f"q{n}", "answer": "because of this and that", "options": ["x", "y"], "answer_idx": n % 2}
        for n in range(5)
    ]
    task = suggest_task(_write(tmp_path / "mine.jsonl", rows))
    assert task["fields"] == {"question": "question", "answer": "answer_idx", "choices": "options"}
