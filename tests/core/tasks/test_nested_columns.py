"""Fields reach into objects and lists by dots, as data sets have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.item_files import load_items

SQUAD = {"question": "Who?", "answers": {"text": ["Ann", "Ann Lee"], "answer_start": [3, 3]}, "a.b": "flat"}
CHAT = {"turns": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Hello."}]}


def _fields(path: Path, row: dict[str, Any], **fields: str) -> dict[str, Any]:
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return dict(load_items(path, fields)[0].fields)


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (SQUAD, "answers.text", ("Ann", "Ann Lee")),
        (SQUAD, "answers.text.1", "Ann Lee"),
        (SQUAD, "answers.answer_start", ("3", "3")),
        (SQUAD, "a.b", "flat"),
        (CHAT, "turns.1.value", "Hello."),
        (CHAT, "turns.value", ("Hi?", "Hello.")),
    ],
)
def test_dots_lead_into_objects_and_lists(tmp_path: Path, row: dict[str, Any], column: str, value: object) -> None:
    assert _fields(tmp_path / "a.jsonl", row, answer=column) == {"answer": value}


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        (SQUAD, "answers.txt", r"a\.jsonl:1: no column 'answers\.txt' .* `answer` \(`answers` has text, answer_start\)"),
        (SQUAD, "question.text", r"`question` holds nothing that has a name"),
        (
            SQUAD,
            "answers",
            r"it is an object with the keys text, answer_start; name what is in it under `fields`, such as `answers\.text`",
        ),
        (
            CHAT,
            "turns",
            r"it is a list of objects with the keys from, value; name what is in it under `fields`, such as `turns\.from`",
        ),
        ({"answers": None}, "answers.text", "it is empty"),
        ({"answers": {"text": []}}, "answers.text", "it is an empty list"),
        ({"answers": [["a"]]}, "answers", "it is a list of lists"),
        ({"answers": ["a", " "]}, "answers", "it is a list with an empty entry"),
    ],
)
def test_what_holds_no_text_is_said_with_the_way_on(tmp_path: Path, row: dict[str, Any], column: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _fields(tmp_path / "a.jsonl", row, answer=column)
