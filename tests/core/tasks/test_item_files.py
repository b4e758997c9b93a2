"""Items come out of every kind of file alike, and a bad file is told by its line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.item_files import Fields, load_items

ROWS = [
    {"question": 'How many "eggs", Ann?', "answer": "1,234"},
    {"question": "卵はいくつ？", "answer": "-3.5"},
    {"question": "Line\u2028separator", "answer": "0"},
]
BY_NAME: Fields = {"question": "question", "answer": "answer"}


def _jsonl(path: Path) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n\n" for row in ROWS), encoding="utf-8")
    return path


def _json(path: Path) -> Path:
    path.write_text(json.dumps(ROWS), encoding="utf-8")
    return path


def _tsv(path: Path) -> Path:
    lines = ["question\tanswer", *(f"{row['question']}\t{row['answer']}" for row in ROWS)]
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig", newline="")
    return path


def _csv(path: Path) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ["question", "answer"])
        writer.writeheader()
        writer.writerows(ROWS)
    return path


def _parquet(path: Path) -> Path:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    return path


WRITERS = {"jsonl": _jsonl, "json": _json, "tsv": _tsv, "csv": _csv, "parquet": _parquet}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("fields", [BY_NAME, None])
def test_every_format_gives_the_same_items(tmp_path: Path, kind: str, fields: Fields | None) -> None:
    items = load_items(WRITERS[kind](tmp_path / f"items.{kind}"), fields)
    assert [dict(item.fields) for item in items] == ROWS
    assert [item.id for item in items] == [item.id for item in load_items(_jsonl(tmp_path / "same.jsonl"), fields)]


@pytest.mark.parametrize(("ending", "separator"), [("tsv", "\t"), ("csv", ",")])
def test_a_table_without_header_is_read_by_column_number(tmp_path: Path, ending: str, separator: str) -> None:
    path = tmp_path / f"items.{ending}"
    path.write_text(f"7{separator}one{separator}x\n8{separator}two{separator}y\n", encoding="utf-8")
    items = load_items(path, {"question": 1, "answer": 0})
    assert [dict(item.fields) for item in items] == [{"question": "one", "answer": "7"}, {"question": "two", "answer": "8"}]
    assert [item.origin for item in items] == [f"{path}:1", f"{path}:2"]


def test_an_id_depends_on_the_content_alone(tmp_path: Path) -> None:
    first = load_items(_jsonl(tmp_path / "a.jsonl"), {"question": "question", "answer": "answer"})
    second = load_items(_csv(tmp_path / "b.csv"), {"answer": "answer", "question": "question"})
    assert [item.id for item in first] == [item.id for item in second]
    assert len({item.id for item in first}) == len(ROWS)
    other_name = load_items(tmp_path / "a.jsonl", {"q": "question", "answer": "answer"})
    assert other_name[0].id != first[0].id


def test_numbers_become_text_and_lists_keep_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"question": 5, "answer": 1.50, "choices": ["a", 2], "note": null}\n', encoding="utf-8")
    assert dict(load_items(path)[0].fields) == {"question": "5", "answer": "1.5", "choices": ("a", "2")}


def test_a_quoted_line_break_keeps_the_line_numbers_of_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text('question,answer\n"two\nlines",1\nlast,2\n', encoding="utf-8")
    items = load_items(path)
    assert items[0].fields["question"] == "two\nlines"
    assert [item.origin for item in items] == [f"{path}:2", f"{path}:4"]


@pytest.mark.parametrize(
    ("name", "content", "fields", "where", "remedy"),
    [
        ("a.jsonl", '{"question": "x", "answer": "1"}\n{"question": "y"}\n', BY_NAME, "a.jsonl:2", "no column 'answer'"),
        ("a.jsonl", '{"question": "x", "answer": null}\n', BY_NAME, "a.jsonl:1", "holds no text"),
        ("a.jsonl", '{"question": "x", "answer": "1"}\n\n{"question": \n', BY_NAME, "a.jsonl:3", "not valid JSON"),
        ("a.jsonl", "[1]\n", BY_NAME, "a.jsonl:1", "not a JSON object"),
        ("a.json", '{"question": "x"}', BY_NAME, "a.json:", "not a list"),
        ("a.json", '[{"question": "x", "answer": {"a": 1}}]', BY_NAME, "a.json: item 1", "holds no text"),
        ("a.tsv", "one\t1\ntwo\n", {"question": 0, "answer": 1}, "a.tsv:2", "no column 1"),
        ("a.tsv", "question\tanswer\nx\t1\ty\n", BY_NAME, "a.tsv:2", "3 columns where the header has 2"),
        ("a.csv", 'question,answer\nx,1\n"y,2\n', BY_NAME, "a.csv:3", "not valid CSV"),
        ("a.csv", "question,answer\n ,1\n", BY_NAME, "a.csv:2", "holds no text"),
        ("a.tsv", "q\ta\n", {"question": 0, "answer": "a"}, "a.tsv:", "mixes"),
        ("a.jsonl", '{"question": "x"}\n', {"question": 0}, "a.jsonl:", "by number"),
        ("a.jsonl", "\n \n", BY_NAME, "a.jsonl:", "holds no items"),
        ("a.tsv", "question\tanswer\n", BY_NAME, "a.tsv:", "holds no items"),
        ("a.txt", "x", BY_NAME, "a.txt:", "use one of"),
        ("a.parquet", "not parquet", BY_NAME, "a.parquet:", "not readable"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_with_place_and_reason(
    tmp_path: Path, name: str, content: str, fields: Fields, where: str, remedy: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        load_items(tmp_path / name, fields)
    message = str(refusal.value)
    assert message.startswith(str(tmp_path / where))
    assert remedy in message
    assert "\n" not in message


def test_a_missing_file_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such item file"):
        load_items(tmp_path / "none.jsonl")
    (tmp_path / "a.jsonl").write_bytes(b'{"question": "ok"}\n' + '{"question": "\u5375"}\n'.encode("shift_jis"))
    with pytest.raises(InputError, match=r"a\.jsonl:2: not UTF-8"):
        load_items(tmp_path / "a.jsonl")
