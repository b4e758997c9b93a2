"""The rows of an item file: JSONL, JSON, TSV, CSV or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.errors import InputError

_TABLES = (".tsv", ".csv")


@dataclass(frozen=True)
class FileRow:
    """One row: cells by column name, or by number from 0 where the file has no header. `origin` is `file:line`."""

    cells: Mapping[str | int, object]
    origin: str


def read_rows(path: Path, *, header: bool) -> list[FileRow]:
    """All rows of a file, its format known by the name's ending; `header` says whether TSV and CSV begin with names.

    Text is UTF-8, with or without a byte order mark. TSV has no quoting: a quotation mark is text. Empty lines are
    skipped. Raises `InputError` with file and line.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError("unknown kind of item file", where=path, remedy=f"use one of {', '.join(_READERS)}")
    if not path.is_file():
        raise InputError("no such item file", where=path, remedy="check the path of `file`")
    if path.suffix.lower() not in _TABLES and not header:
        raise InputError("fields by number are for TSV and CSV", where=path, remedy="give `fields` the column names")
    return list(reader(path, header))


def first_names(path: Path) -> tuple[str, ...]:
    """What may be the column names of a file: the keys of its first row, the first line's cells of a TSV or CSV."""
    table = path.suffix.lower() in _TABLES
    rows = read_rows(path, header=not table)
    cells = rows[0].cells if rows else {}
    return tuple(str(name).strip() for name in (cells.values() if table else cells))


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8 text", where=f"{path}:{line}", remedy="save the file as UTF-8") from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    # Not splitlines(): U+2028 and the like are text inside of a JSON string.
    for number, line in enumerate(_text(path).replace("\r\n", "\n").split("\n"), start=1):
        if line.strip():
            yield number, line


def _jsonl(path: Path, _header: bool) -> Iterator[FileRow]:
    for number, line in _lines(path):
        origin = f"{path}:{number}"
        yield _object(_parsed(line, origin), origin)


def _json(path: Path, _header: bool) -> Iterator[FileRow]:
    value = _parsed(_text(path), str(path))
    if not isinstance(value, list):
        raise InputError(
            "not a list of objects", where=path, remedy="write one JSON list, or use .jsonl with one object a line"
        )
    for number, element in enumerate(value, start=1):
        yield _object(element, f"{path}: item {number}")


def _parsed(text: str, origin: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(f"not valid JSON ({reason})", where=origin, remedy="correct it") from error
    return value


def _object(value: object, origin: str) -> FileRow:
    if not isinstance(value, dict):
        raise InputError("not a JSON object", where=origin, remedy='write {"question": ..., "answer": ...}')
    return FileRow(value, origin)


def _tsv(path: Path, header: bool) -> Iterator[FileRow]:
    lines = ((number, line.split("\t")) for number, line in _lines(path))
    return _table(path, lines, header)


def _csv(path: Path, header: bool) -> Iterator[FileRow]:
    return _table(path, _csv_lines(path), header)


def _csv_lines(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    text = _text(path).replace("\r\n", "\n").split("\n")
    reader = csv.reader((line + "\n" for line in text), strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"not valid CSV ({error})", where=f"{path}:{start}", remedy="correct the quotes") from error


def _table(path: Path, lines: Iterator[tuple[int, Sequence[str]]], header: bool) -> Iterator[FileRow]:
    names: Sequence[str] = ()
    for number, cells in lines:
        if not header:
            yield FileRow(dict(enumerate(cells)), f"{path}:{number}")
        elif not names:
            names = [cell.strip() for cell in cells]
        elif len(cells) != len(names):
            raise InputError(
                f"{len(cells)} columns where the header has {len(names)}", where=f"{path}:{number}", remedy="correct the row"
            )
        else:
            yield FileRow(dict(zip(names, cells, strict=True)), f"{path}:{number}")


def _parquet(path: Path, _header: bool) -> Iterator[FileRow]:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_table

    try:
        rows = read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise InputError("not readable as Parquet", where=path, remedy="fetch or write the file again") from error
    for number, cells in enumerate(rows, start=1):
        yield FileRow(cells, f"{path}: row {number}")


_READERS: Mapping[str, Callable[[Path, bool], Iterator[FileRow]]] = {
    ".parquet": _parquet,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
}
FORMATS = tuple(_READERS)
