"""What an answer means among choices is decided for a whole column, or refused with the key that settles it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.draw_items import read_items
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import TaskSpec

WORDS = ["fox", "dog", "hen", "owl"]
DIGITS = ["0", "1", "2", "3"]
LETTERS = ["A", "B", "C", "D"]


def _rotated(choices: list[Any], by: int) -> list[Any]:
    return choices[by:] + choices[:by]


def _rows(choices: list[Any], answers: list[Any]) -> list[dict[str, Any]]:
    """Items whose choices stand in another order each time."""
    return [{"question": f"q{n}", "choices": _rotated(choices, n % 4), "answer": answer} for n, answer in enumerate(answers)]


def _read(path: Path, rows: list[dict[str, Any]], **keys: Any) -> tuple[list[str], tuple[str, ...]]:
    """The texts of the correct choices, and the notes."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    entry = {"name": "quiz", "file": path.name, "prompt": "{question}", "scorer": "multiple_choice", "choices": "choices"}
    spec = TaskSpec.model_validate({**entry, **keys})
    task = make_task(spec)
    read = read_items(spec, task, folder=path.parent)
    found = [task.expected(item) for item in read.items]
    assert all(expected.right is not None for expected in found)
    return [expected.choices[expected.right or 0] for expected in found], read.notes


@pytest.mark.parametrize("choices", [WORDS, DIGITS, LETTERS])
@pytest.mark.parametrize("as_text", [False, True])
def test_whole_numbers_from_0_are_places_whatever_the_choices_say(tmp_path: Path, choices: list[str], as_text: bool) -> None:
    """MMLU's layout: an int beside texts. HellaSwag has the int in quotes, where choices that are digits leave two readings."""
    places = [0, 1, 2, 3, 3, 1]
    rows = _rows(choices, [str(place) if as_text else place for place in places])
    keys = {"answer_is": "index_from_0"} if as_text and choices is DIGITS else {}
    right, notes = _read(tmp_path / "quiz.jsonl", rows, **keys)
    assert right == [_rotated(choices, n % 4)[place] for n, place in enumerate(places)]
    assert notes == ("answers are read as indexes from 0",)


def test_whole_numbers_up_to_the_number_of_choices_count_from_1(tmp_path: Path) -> None:
    """Winogrande's layout."""
    right, notes = _read(tmp_path / "quiz.jsonl", _rows(WORDS, ["1", "4", "2"]))
    assert right == ["fox", _rotated(WORDS, 1)[3], _rotated(WORDS, 2)[1]]
    assert notes == ("answers are read as indexes from 1",)


@pytest.mark.parametrize(
    ("choices", "answers", "right", "note"),
    [
        (WORDS, ["fox", "owl", "dog"], ["fox", "owl", "dog"], "the text of a choice"),
        (WORDS, ["A", "d", "B"], ["fox", "fox", "owl"], "letters"),
        (WORDS, ["(A)", "D.", "B)"], ["fox", "fox", "owl"], "letters"),
        (WORDS, ["A. fox", "(D) fox", "b: owl"], ["fox", "fox", "owl"], "the text of a choice"),
        # a text that would be a place, were it not for the other rows
        (["2", "4", "6", "8"], ["2", "8", "4"], ["2", "8", "4"], "the text of a choice"),
        ([12, 15, 20, 31], [12, 31, 15], ["12", "31", "15"], "the text of a choice"),
    ],
)
def test_the_one_reading_that_fits_all_rows_counts(
    tmp_path: Path, choices: list[Any], answers: list[Any], right: list[str], note: str
) -> None:
    found, notes = _read(tmp_path / "quiz.jsonl", _rows(choices, answers))
    assert found == right
    assert note in notes[0]


@pytest.mark.parametrize(
    ("choices", "answers", "one", "other"),
    [
        (LETTERS, ["A", "B", "C"], "text", "letter"),
        (DIGITS, ["0", "1", "3"], "text", "index_from_0"),
        ([0, 1, 2, 3], [0, 1, 3], "text", "index_from_0"),
        (WORDS, [1, 2, 3], "index_from_0", "index_from_1"),
    ],
)
def test_a_column_with_two_readings_is_refused_with_the_key_that_settles_it(
    tmp_path: Path, choices: list[Any], answers: list[Any], one: str, other: str
) -> None:
    rows = _rows(choices, answers)
    with pytest.raises(InputError, match=rf"quiz\.jsonl:\d+: quiz: .*; add `answer_is: {one}` or `answer_is: {other}`"):
        _read(tmp_path / "quiz.jsonl", rows)
    for reading in (one, other):
        assert _read(tmp_path / "quiz.jsonl", rows, answer_is=reading)[0] == [_by_hand(reading, row) for row in rows]


def _by_hand(reading: str, row: dict[str, Any]) -> str:
    choices, answer = [str(choice) for choice in row["choices"]], str(row["answer"])
    return {
        "text": lambda: answer,
        "letter": lambda: choices["ABCD".index(answer)],
        "index_from_0": lambda: choices[int(answer)],
        "index_from_1": lambda: choices[int(answer) - 1],
    }[reading]()


@pytest.mark.parametrize("choices", [["no", "yes"], ["Yes", "No"], ["False", "True"], ["true", "false", "maybe"]])
@pytest.mark.parametrize("answers", [[True, False, True], ["True", "False", "True"]], ids=["boolean", "text"])
def test_true_and_false_are_the_choices_that_say_so(tmp_path: Path, choices: list[str], answers: list[Any]) -> None:
    rows = [{"question": f"is it {n}?", "answer": answer} for n, answer in enumerate(answers)]
    found, _ = _read(tmp_path / "quiz.jsonl", rows, choices=choices)
    assert [text.casefold() in ("true", "yes") for text in found] == [True, False, True]
    with pytest.raises(InputError, match="'true' is none of the choices"):
        _read(tmp_path / "quiz.jsonl", [{"question": "is it?", "answer": True}], choices=["yes", "no", "No"])


def test_two_readings_that_mean_the_same_are_one(tmp_path: Path) -> None:
    rows = [{"question": f"q{n}", "answer": letter} for n, letter in enumerate("BAC")]
    assert _read(tmp_path / "quiz.jsonl", rows, choices=["A", "B", "C"])[0] == ["B", "A", "C"]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (["fox", "B", "dog"], r"quiz\.jsonl:2: quiz: the answer 'B' is a letter, but the ones before it are a choice's text"),
        (["A", "2", "C"], r"quiz\.jsonl:2: quiz: the answer '2' is an index from 0 or .* 1, but .* a letter; .*`labels`"),
        (["0", "4", "1"], r"quiz\.jsonl:2: quiz: the answer '4' is an index from 1, but the ones before .* an index from 0"),
        (["fox", "cow", "dog"], r"quiz\.jsonl:2: quiz: the answer 'cow' is none of the choices"),
        ([0, 7, 1], r"quiz\.jsonl:2: quiz: the answer '7' is none of the choices"),
    ],
)
def test_a_column_without_one_reading_is_refused_at_its_row(tmp_path: Path, answers: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _read(tmp_path / "quiz.jsonl", _rows(WORDS, answers))


def test_a_stated_reading_that_a_row_doesnt_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"quiz\.jsonl:3: quiz: the answer '4' isn't an index from 0 among 4 choices"):
        _read(tmp_path / "quiz.jsonl", _rows(WORDS, [0, 1, 4]), answer_is="index_from_0")


def test_a_stated_reading_without_choices_is_an_idle_key() -> None:
    entry = {"name": "quiz", "file": "quiz.jsonl", "scorer": "exact", "answer_is": "letter"}
    with pytest.raises(ValueError, match="has no effect without scorer: multiple_choice"):
        TaskSpec.model_validate(entry)


ARC = [
    {"question": "q0", "choices": {"text": WORDS, "label": ["A", "B", "C", "D"]}, "answerKey": "C"},
    {"question": "q1", "choices": {"text": WORDS, "label": ["1", "2", "3", "4"]}, "answerKey": "2"},
    {"question": "q2", "choices": {"text": WORDS[:3], "label": ["A", "B", "C"]}, "answerKey": "A"},
]


def test_arcs_labels_name_the_choices(tmp_path: Path) -> None:
    fields = {"question": "question", "choices": "choices.text", "answer": "answerKey"}
    right, notes = _read(tmp_path / "arc.jsonl", ARC, fields=fields)
    assert (right, notes) == (["hen", "dog", "fox"], ("answers are read as labels of the choices",))


def test_choices_can_be_named_by_dots_without_fields(tmp_path: Path) -> None:
    rows = [{"question": row["question"], "choices": row["choices"], "answer": row["answerKey"]} for row in ARC]
    right, _ = _read(tmp_path / "arc.jsonl", rows, choices="choices.text")
    assert right == ["hen", "dog", "fox"]


def test_nested_columns_of_parquet_are_those_of_json(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ARC), tmp_path / "arc.parquet")
    fields = {"question": "question", "choices": "choices.text", "answer": "answerKey"}
    right, _ = _read(tmp_path / "unused.jsonl", [], file="arc.parquet", fields=fields)
    assert right == ["hen", "dog", "fox"]


def test_a_list_of_labelled_objects_is_reached_into_as_well(tmp_path: Path) -> None:
    """The layout of ARC's own files."""
    options = [{"text": text, "label": label} for text, label in zip(WORDS, "ABCD", strict=True)]
    rows = [{"question": {"stem": f"q{n}", "choices": options}, "answerKey": key} for n, key in enumerate("DA")]
    fields = {"question": "question.stem", "choices": "question.choices.text", "answer": "answerKey"}
    assert _read(tmp_path / "arc.jsonl", rows, fields=fields)[0] == ["owl", "fox"]


def test_truthfulqas_flags_mark_the_correct_choice(tmp_path: Path) -> None:
    rows = [
        {"question": f"q{n}", "mc1_targets": {"choices": WORDS, "labels": [int(place == right) for place in range(4)]}}
        for n, right in enumerate([0, 3, 1])
    ]
    fields = {"question": "question", "choices": "mc1_targets.choices", "answer": "mc1_targets.labels"}
    right, notes = _read(tmp_path / "truth.jsonl", rows, fields=fields)
    assert right == ["fox", "owl", "dog"]
    assert "a flag for each choice" in notes[0]
