"""Choices that have a column each, that an object names by letters, or that stand in a cell as text: layouts of data sets."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.draw_items import read_items
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import TaskSpec

WORDS = ("fox", "dog", "hen", "owl")
LETTERS = ("A", "B", "C", "D")
BY_LETTER = dict(zip(LETTERS, WORDS, strict=True))
BY_LABEL = "answers are read as labels of the choices"


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _right(path: Path, choices: str = "choices", **keys: Any) -> tuple[list[str], tuple[str, ...]]:
    """The text of each item's correct choice, and the notes."""
    entry = {"name": "exam", "file": path.name, "prompt": "{question}", "scorer": "multiple_choice", "choices": choices}
    spec = TaskSpec.model_validate({**entry, **keys})
    read = read_items(spec, make_task(spec), folder=path.parent)
    assert all(item.right is not None for item in read.items)
    return [item.texts(choices)[item.right or 0] for item in read.items], read.notes


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_mmlus_letters_name_columns(tmp_path: Path, ending: str) -> None:
    rows = [{"question": f"q{n}", **BY_LETTER, "answer": letter} for n, letter in enumerate("CADB")]
    path = _write(tmp_path / f"exam.{ending}", rows)
    fields = {"question": "question", "choices": list(LETTERS), "answer": "answer"}
    assert _right(path, fields=fields) == (["hen", "fox", "owl", "dog"], (BY_LABEL,))


def test_a_letter_names_its_column_wherever_that_stands(tmp_path: Path) -> None:
    path = _write(tmp_path / "exam.csv", [{"question": f"q{n}", **BY_LETTER, "answer": one} for n, one in enumerate("ABC")])
    fields = {"question": "question", "choices": ["D", "C", "B", "A"], "answer": "answer"}
    assert _right(path, fields=fields)[0] == ["fox", "dog", "hen"]


def test_mmlus_files_without_a_header_have_numbers(tmp_path: Path) -> None:
    path = tmp_path / "exam.csv"
    path.write_text('"q0, then?",fox,dog,hen,owl,C\nq1,fox,dog,hen,owl,A\n', encoding="utf-8")
    fields = {"question": 0, "choices": [1, 2, 3, 4], "answer": 5}
    assert _right(path, fields=fields) == (["hen", "fox"], ("answers are read as letters, A for the first choice",))


@pytest.mark.parametrize(
    ("names", "answers", "right", "note"),
    [
        (("option1", "option2"), ["1", "2", "1"], ["fox", "dog", "fox"], "indexes from 1"),
        (("sol1", "sol2"), [0, 1, 0], ["fox", "dog", "fox"], "indexes from 0"),
        (("opa", "opb", "opc", "opd"), [3, 0, 2], ["owl", "fox", "hen"], "indexes from 0"),
        (("answerA", "answerB", "answerC"), ["3", "1", "2"], ["hen", "fox", "dog"], "indexes from 1"),
        (("ending0", "ending1", "ending2", "ending3"), ["0", "3", "1"], ["fox", "owl", "dog"], "indexes from 0"),
        (("choice_a", "choice_b", "choice_c"), ["choice_c", "choice_a"], ["hen", "fox"], "labels"),
        (("correct_answer", "distractor1", "distractor2"), ["fox", "fox", "fox"], ["fox"] * 3, "the text of a choice"),
        (("1", "2", "3", "4"), ["0", "3", "1"], ["fox", "owl", "dog"], "indexes from 0"),
    ],
    ids=["Winogrande", "PIQA", "MedMCQA", "SIQA", "SWAG", "names", "SciQ", "numbers"],
)
def test_columns_of_data_sets(tmp_path: Path, names: tuple[str, ...], answers: list[Any], right: list[str], note: str) -> None:
    texts = dict(zip(names, WORDS, strict=False))
    path = _write(tmp_path / "exam.jsonl", [{"question": f"q{n}", **texts, "key": key} for n, key in enumerate(answers)])
    found, notes = _right(path, fields={"question": "question", "choices": list(names), "answer": "key"})
    assert found == right
    assert note in notes[0]


def test_a_question_may_have_fewer_choices_than_the_table(tmp_path: Path) -> None:
    rows = [{"question": "q0", **BY_LETTER, "answer": "D"}, {"question": "q1", **BY_LETTER, "C": "", "D": " ", "answer": "B"}]
    fields = {"question": "question", "choices": list(LETTERS), "answer": "answer"}
    assert _right(_write(tmp_path / "exam.csv", rows), fields=fields)[0] == ["owl", "dog"]
    del rows[1]["C"], rows[1]["D"]
    assert _right(_write(tmp_path / "exam.jsonl", rows), fields=fields)[0] == ["owl", "dog"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["A", "B", "C", "D"], r"exam\.csv:3: columns \['A', 'B', 'C', 'D'\] hold no text .*`choices`: of `B`, it is empty"),
        (["A", "C", "E"], r"exam\.csv:2: no column 'E' for the field `choices`"),
        (["A", 2], "`fields` mixes column names and numbers"),
    ],
)
def test_what_columns_lack_is_said_with_its_row(tmp_path: Path, columns: list[Any], message: str) -> None:
    rows = [{"question": "q0", **BY_LETTER, "answer": "A"}, {"question": "q1", **BY_LETTER, "B": "", "answer": "A"}]
    path = _write(tmp_path / "exam.csv", rows)
    with pytest.raises(InputError, match=message):
        _right(path, fields={"question": "question", "choices": columns, "answer": "answer"})


@pytest.mark.parametrize("columns", [["A", "A"], [], [["A", "B"]], [True, "A"]])
def test_a_list_of_columns_names_each_once(columns: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"names the column 'A' twice|must be a column's name"):
        TaskSpec.model_validate({"name": "exam", "file": "exam.csv", "fields": {"choices": columns}})


def test_several_columns_of_answers_are_all_right(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", [{"q": "Who?", "first": "Ann", "second": "Ann Lee"}, {"q": "Where?", "first": "Rome"}])
    spec = TaskSpec.model_validate({"name": "a", "file": "a.jsonl", "fields": {"question": "q", "answer": ["first", "second"]}})
    items = read_items(spec, make_task(spec), folder=path.parent).items
    assert [item.texts("answer") for item in items] == [("Ann", "Ann Lee"), ("Rome",)]


OBJECTS: dict[str, list[Any]] = {
    "MedQA": [BY_LETTER, dict(reversed(BY_LETTER.items())), BY_LETTER],
    "bigbio": [[{"key": letter, "value": word} for letter, word in BY_LETTER.items()]] * 3,
    "CommonsenseQA": [[{"label": letter, "text": word} for letter, word in BY_LETTER.items()]] * 3,
    "ARC": [{"text": list(WORDS), "label": list(LETTERS)}] * 3,
    "small letters": [{f"{letter.lower()})": word for letter, word in BY_LETTER.items()}] * 3,
}


@pytest.mark.parametrize("layout", OBJECTS)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_an_object_names_its_choices(tmp_path: Path, layout: str, ending: str) -> None:
    rows = [{"question": f"q{n}", "options": OBJECTS[layout][n], "answer": letter} for n, letter in enumerate("BDA")]
    path = _write(tmp_path / f"exam.{ending}", rows)
    expected = (["dog", "owl", "fox"], (BY_LABEL,))
    assert _right(path, fields={"question": "question", "choices": "options", "answer": "answer"}) == expected
    assert _right(path, "options") == expected


def test_medqas_answers_may_be_texts_too(tmp_path: Path) -> None:
    rows = [{"question": f"q{n}", "options": BY_LETTER, "answer": word, "answer_idx": "A"} for n, word in enumerate(WORDS)]
    assert _right(_write(tmp_path / "exam.jsonl", rows), "options") == (
        list(WORDS),
        ("answers are read as the text of a choice",),
    )


def test_a_map_of_parquet_is_an_object(tmp_path: Path) -> None:
    kind = pyarrow.map_(pyarrow.string(), pyarrow.string())
    columns = {"question": ["q0", "q1"], "options": pyarrow.array([list(BY_LETTER.items())] * 2, kind), "answer": ["C", "A"]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "exam.parquet")
    assert _right(tmp_path / "exam.parquet", "options")[0] == ["hen", "fox"]


def test_objects_of_other_sizes_share_a_parquet_file(tmp_path: Path) -> None:
    """A struct has all keys in all rows, the ones that a row lacks are empty."""
    shorter = {letter: BY_LETTER[letter] for letter in "AB"}
    rows = [{"question": f"q{n}", "options": options, "answer": "B"} for n, options in enumerate((BY_LETTER, shorter))]
    path = _write(tmp_path / "exam.parquet", rows)
    spec = {"name": "exam", "file": path.name, "prompt": "{question}", "scorer": "multiple_choice", "choices": "options"}
    task = make_task(TaskSpec.model_validate(spec))
    items = read_items(TaskSpec.model_validate(spec), task, folder=path.parent).items
    assert [len(task.expected(item).choices) for item in items] == [4, 2]


@pytest.mark.parametrize(
    "cell",
    [
        json.dumps(WORDS),
        str(list(WORDS)),
        str(np.array(WORDS)),
        json.dumps(BY_LETTER),
        str(BY_LETTER),
        str({"text": list(WORDS), "label": list(LETTERS)}),
    ],
)
def test_a_tables_cell_may_hold_a_list_as_text(tmp_path: Path, cell: str) -> None:
    rows = [{"question": f"q{n}", "choices": cell, "answer": letter} for n, letter in enumerate("CAB")]
    assert _right(_write(tmp_path / "exam.csv", rows))[0] == ["hen", "fox", "dog"]


@pytest.mark.parametrize("cell", ["[fox", "{'A': 'fox', 'B'}", "[" * 5000, "[__import__('os').getcwd(), 'x']", "[x] or [y]"])
def test_a_cell_that_is_no_list_is_refused_as_one_choice(tmp_path: Path, cell: str) -> None:
    with pytest.raises(InputError, match=r"exam\.csv:2: exam: fewer than two choices|exam: fewer than two choices"):
        _right(_write(tmp_path / "exam.csv", [{"question": "q", "choices": cell, "answer": "A"}]))
