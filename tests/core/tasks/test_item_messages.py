"""An item file that isn't what its name says is read for what it is, or the message says what it is."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.draw_items import read_items
from evomerge_core.tasks.items.item_files import load_items
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import TaskSpec

ROWS = [{"question": f"Wie viel ist 0,5 + {n}?", "answer": f"{n},5"} for n in range(4)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
BY_NAME = {"question": "question", "answer": "answer"}
BY_NUMBER = {"question": 0, "answer": 1}


def _table(delimiter: str, *, header: bool = True) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(BY_NAME), delimiter=delimiter)
    if header:
        writer.writeheader()
    writer.writerows(ROWS)
    return file.getvalue()


def _parquet(folder: Path) -> bytes:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), folder / "written.parquet")
    return (folder / "written.parquet").read_bytes()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("items.jsonl", LINES)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.json", LINES.encode()),
        ("list.jsonl", json.dumps(ROWS).encode()),
        ("list.jsonl", json.dumps(ROWS, indent=2).encode()),
        ("marks.jsonl", "".join("\ufeff" + line for line in LINES.splitlines(keepends=True)).encode()),
        ("marked.json", json.dumps(ROWS).encode("utf-8-sig")),
        ("wide.jsonl", LINES.encode("utf-16")),
        ("wide.csv", _table(",").encode("utf-16")),
        ("wider.csv", _table(",").encode("utf-32")),
        ("semicolons.csv", _table(";").encode("utf-8-sig")),
        ("bars.csv", _table("|").encode()),
        ("tabs.csv", _table("\t").encode()),
        ("old.csv", _table(",").replace("\r\n", "\r").encode()),
        ("old.tsv", _table("\t").replace("\r\n", "\r").encode()),
    ],
)
def test_a_file_that_can_only_mean_one_thing_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert [dict(item.fields) for item in load_items(tmp_path / name, BY_NAME)] == ROWS


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_decimal_commas_dont_cut_the_rows_of_a_csv_without_header(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "a.csv").write_text(_table(delimiter, header=False), encoding="utf-8")
    assert [dict(item.fields) for item in load_items(tmp_path / "a.csv", BY_NUMBER)] == ROWS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"", r"a\.jsonl: the file is empty"),
        ("a.parquet", b"", r"a\.parquet: the file is empty"),
        ("a.json", "PARQUET", r"a\.json: the file is a Parquet file, .*; name it \.parquet"),
        ("a.jsonl", gzip.compress(b"x"), r"the file is a gzip archive, .*; unpack it"),
        ("a.csv", _zip(), r"the file is a zip archive or an Excel workbook"),
        ("a.parquet", _zip(), r"the file is a zip archive or an Excel workbook"),
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", r"a Git LFS pointer, .*`git lfs pull`"),
        ("a.jsonl", b"\n<!DOCTYPE html>\n<html></html>", r"a web page, .*; download the raw file"),
        ("a.jsonl", LINES.encode("utf-16-le"), r"UTF-16 text without a byte order mark; save the file as UTF-8"),
        ("a.csv", LINES.encode(), r"a\.csv: the file is JSON, not a table; give it the ending \.jsonl or \.json"),
        ("a.tsv", json.dumps(ROWS, indent=1).encode(), r"a\.tsv: the file is JSON, not a table"),
        (
            "a.jsonl",
            _table(",").encode(),
            r"a\.jsonl:1: not valid JSON .*; correct it, or give a table the ending \.csv or \.tsv",
        ),
        ("a.json", _table(";").encode(), r"a\.json: not valid JSON .*; correct it, or give a table the ending \.csv or \.tsv"),
        (
            "a.jsonl",
            b'{\n "question": "x",\n "answer": "1"\n}\n',
            r"a\.jsonl:1: not valid JSON .*; write each object on one line",
        ),
        ("a.json", json.dumps({"version": 1, "data": ROWS}).encode(), r"an object whose 'data' is one; save what 'data' holds"),
        ("a.json", json.dumps({"question": {"0": "x"}, "answer": {"0": "1"}}).encode(), r"an object of columns; .*records"),
        (
            "a.tsv",
            _table(",").encode(),
            r"a\.tsv: no tabs between .*'question,answer'; give it the ending \.csv",
        ),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_it_is(tmp_path: Path, name: str, content: Any, message: str) -> None:
    (tmp_path / name).write_bytes(_parquet(tmp_path) if content == "PARQUET" else content)
    with pytest.raises(InputError, match=message) as refusal:
        load_items(tmp_path / name, BY_NAME)
    assert "\n" not in str(refusal.value)


def test_a_folder_is_no_item_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(InputError, match=r"a\.jsonl: a folder, not an item file"):
        load_items(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "x", "answer": ""}, r"a\.jsonl:3: sums: the column `answer` holds no text: it is empty; fill it"),
        ({"question": "x", "answer": None}, r"a\.jsonl:3: sums: the column `answer` holds no text: it is empty"),
        ({"question": " ", "answer": "1"}, r"a\.jsonl:3: sums: the column `question` holds no text: it is empty"),
        (
            {"question": "x", "answer": {"text": ["1"]}},
            r"a\.jsonl:3: .* an object with the keys text; name what is in it under `fields`, such as `answer\.text`",
        ),
        (
            {"question": "x", "answer": [{"text": "1"}]},
            r"a\.jsonl:3: .* a list of objects with the keys text; name what is in it",
        ),
        ({"question": "x", "answer": []}, r"a\.jsonl:3: sums: the column `answer` holds no text: it is an empty list"),
        ({"question": "x"}, r"a\.jsonl:3: sums: no `answer`, which other items have; add it"),
    ],
)
def test_a_cell_without_text_is_told_by_its_row_and_column(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    rows = [{"question": "1 + 1?", "answer": "2"}, {"question": "1 + 2?", "answer": 3, "note": None}, row]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    spec = TaskSpec.model_validate({"name": "sums", "file": "a.jsonl", "scorer": "final_number"})
    with pytest.raises(InputError, match=message):
        read_items(spec, make_task(spec), folder=tmp_path)


def test_a_cell_may_be_a_whole_document_and_hold_zeros(tmp_path: Path) -> None:
    long = "x" * 300_000
    (tmp_path / "a.csv").write_text(f"question,answer\n{long},a\x00b\n", encoding="utf-8")
    assert dict(load_items(tmp_path / "a.csv")[0].fields) == {"question": long, "answer": "a\x00b"}
