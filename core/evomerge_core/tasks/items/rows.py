"""The rows of an item file: JSONL, JSON, TSV, CSV or Parquet."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.item_text import read_item_bytes, read_item_text, refuse_other_kind

_TABLES = (".tsv", ".csv")
_MOST_ROWS = 500_000
_MOST_CELLS = 5_000_000
_MOST_UNPACKED = 300_000_000
# With columns of bytes, which are pictures.
_MOST_WITH_PICTURES = 1_000_000_000
_FEWER = "write the items that a run needs into a file of their own"
# A cell may be a whole document; csv takes 131,072 characters where nothing is said.
_LONGEST_CELL = 2**31 - 1
_MARK = "\ufeff"
_OTHER_DELIMITERS = (";", "\t", "|")
_SEPARATING_COMMA = re.compile(r"(?<![0-9]),|,(?![0-9])")


@dataclass(frozen=True)
class FileRow:
    """One row: cells by column name, or by number from 0 where the file has no header. `origin` is `file:line`."""

    cells: Mapping[str | int, object]
    origin: str


def read_rows(path: Path, *, header: bool) -> list[FileRow]:
    """All rows of a file, its format known by the name's ending; `header` says whether TSV and CSV begin with names.

    JSON Lines in a `.json` and a JSON list in a `.jsonl` are read for what they are, and a CSV may have semicolons, tabs or
    bars for commas. TSV has no quoting: a quotation mark is text. Empty lines are skipped. Raises `InputError` with file and
    line.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError("unknown kind of item file", where=path, remedy=f"use one of {', '.join(_READERS)}")
    if path.suffix.lower() not in _TABLES and not header:
        raise InputError("fields by number are for TSV and CSV", where=path, remedy="give `fields` the column names")
    rows = list(islice(reader(path, header), _MOST_ROWS + 1))
    if len(rows) > _MOST_ROWS:
        raise InputError(f"holds more than {_MOST_ROWS:,} rows", where=path, remedy=_FEWER)
    return rows


def first_names(path: Path) -> tuple[str, ...]:
    """What may be the column names of a file: the keys of its first row, the first line's cells of a TSV or CSV."""
    table = path.suffix.lower() in _TABLES
    rows = read_rows(path, header=not table)
    cells = rows[0].cells if rows else {}
    return tuple(str(name).strip(f"{_MARK} ") for name in (cells.values() if table else cells))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(): U+2028 and the like are text inside of a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            # files that were put together have a byte order mark inside
            yield number, line.removeprefix(_MARK)


def _jsonl(path: Path, _header: bool) -> Iterator[FileRow]:
    text = read_item_text(path)
    listed = _listed(text)
    return _json_lines(path, text) if listed is None else _elements(path, listed)


def _json(path: Path, _header: bool) -> Iterator[FileRow]:
    text = read_item_text(path)
    if _is_json_lines(text):
        return _json_lines(path, text)
    value = _parsed(text, str(path))
    if not isinstance(value, list):
        raise _no_list(path, value)
    return _elements(path, value)


def _is_json_lines(text: str) -> bool:
    """Whether the first of several lines is a whole object."""
    start = [line for _, line in islice(_lines(text), 2)]
    return len(start) > 1 and isinstance(_tried(start[0]), dict)


def _listed(text: str) -> list[object] | None:
    """The elements of a text that is a JSON list of objects, None for any other."""
    value = _tried(text) if text.lstrip().startswith("[") else None
    return value if isinstance(value, list) and value and isinstance(value[0], dict) else None


def _tried(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _json_lines(path: Path, text: str) -> Iterator[FileRow]:
    for number, line in _lines(text):
        origin = f"{path}:{number}"
        yield _object(_parsed(line, origin), origin)


def _elements(path: Path, elements: Sequence[object]) -> Iterator[FileRow]:
    for number, element in enumerate(elements, start=1):
        yield _object(element, f"{path}: item {number}")


def _no_list(path: Path, value: object) -> InputError:
    inner = value if isinstance(value, dict) else {}
    name = next((name for name, part in inner.items() if isinstance(part, list) and part and isinstance(part[0], dict)), None)
    if name is not None:
        problem = f"not a list of objects, but an object whose {name!r} is one"
        return InputError(problem, where=path, remedy=f"save what {name!r} holds as a file of its own")
    if inner and all(isinstance(part, dict | list) for part in inner.values()):
        problem = "not a list of objects, but an object of columns"
        return InputError(problem, where=path, remedy="write an object for each row (in pandas, orient='records')")
    remedy = "write one JSON list, or use .jsonl with one object a line"
    return InputError("not a list of objects", where=path, remedy=remedy)


def _parsed(text: str, origin: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(f"not valid JSON ({reason})", where=origin, remedy=_json_remedy(text, error)) from error
    return value


def _json_remedy(text: str, error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
        return "put the objects into one list, or each on a line of its own in a .jsonl"
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        return "correct it, or give a table the ending .csv or .tsv"
    if "\n" not in text and isinstance(error, json.JSONDecodeError) and error.pos >= len(text.rstrip()):
        return "write each object on one line, or one list in a .json"
    return "correct it"


def _object(value: object, origin: str) -> FileRow:
    if not isinstance(value, dict):
        raise InputError("not a JSON object", where=origin, remedy='write {"question": ..., "answer": ...}')
    return FileRow(value, origin)


def _tsv(path: Path, header: bool) -> Iterator[FileRow]:
    text = _table_text(path)
    first = next((line for _, line in _lines(text)), "")
    if header and re.fullmatch(r"\S+[,;|]\S+", first):
        problem = f"no tabs between the names of its columns, {first!r}"
        raise InputError(problem, where=path, remedy="give it the ending .csv, or separate its cells by tabs")
    return _table(path, ((number, line.split("\t")) for number, line in _lines(text)), header)


def _csv(path: Path, header: bool) -> Iterator[FileRow]:
    text = _table_text(path)
    return _table(path, _csv_lines(path, text, _delimiter(path, text)), header)


def _table_text(path: Path) -> str:
    text = read_item_text(path)
    first = next((line for _, line in _lines(text)), "")
    if first.lstrip()[:1] in ("{", "[") and (_tried(first) is not None or _tried(text) is not None):
        raise InputError("the file is JSON, not a table", where=path, remedy="give it the ending .jsonl or .json")
    return text


def _delimiter(path: Path, text: str) -> str:
    """What separates cells: another mark than the comma where that cuts all rows into as many cells and the comma doesn't.

    Commas that all stand between digits are decimal commas.
    """
    first = next((line for _, line in _lines(text)), "")
    others = [mark for mark in _OTHER_DELIMITERS if mark in first]
    if "," not in first:
        return others[0] if others else ","
    decimal = not _SEPARATING_COMMA.search(first)
    return next((mark for mark in others if _even(path, text, mark) and (decimal or not _even(path, text, ","))), ",")


def _even(path: Path, text: str, delimiter: str) -> bool:
    try:
        widths = {len(cells) for _, cells in _csv_lines(path, text, delimiter)}
    except InputError:
        return False
    return len(widths) == 1 and widths != {1}


def _csv_lines(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader((line + "\n" for line in text.split("\n")), strict=True, delimiter=delimiter)
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
            names = [cell.strip(f"{_MARK} \t\n\r") for cell in cells]
        elif len(cells) != len(names):
            raise InputError(
                f"{len(cells)} columns where the header has {len(names)}", where=f"{path}:{number}", remedy="correct the row"
            )
        else:
            yield FileRow(dict(zip(names, cells, strict=True)), f"{path}:{number}")


def _parquet(path: Path, _header: bool) -> Iterator[FileRow]:
    from pyarrow import ArrowException, BufferReader
    from pyarrow.parquet import ParquetFile

    data = read_item_bytes(path, _MOST_WITH_PICTURES)
    refuse_other_kind(path, data, text=False)
    try:
        file = ParquetFile(BufferReader(data))
        _refuse_huge_table(path, file.metadata, file.schema_arrow)
        rows = file.read().to_pylist()
    except (ArrowException, OSError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise InputError("not readable as Parquet", where=path, remedy="fetch or write the file again") from error
    for number, cells in enumerate(rows, start=1):
        yield FileRow(cells, f"{path}: row {number}")


def _refuse_huge_table(path: Path, facts: Any, schema: Any) -> None:
    """A small Parquet file can hold any number of equal rows."""
    most = _MOST_WITH_PICTURES if any("binary" in str(kind) for kind in schema.types) else _MOST_UNPACKED
    size = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    if facts.num_rows > _MOST_ROWS or facts.num_rows * facts.num_columns > _MOST_CELLS or size > most:
        problem = f"{facts.num_rows:,} rows of {facts.num_columns:,} columns, {size // 1_000_000:,} MB unpacked, are too many"
        raise InputError(problem, where=path, remedy=_FEWER)


_READERS: Mapping[str, Callable[[Path, bool], Iterator[FileRow]]] = {
    ".parquet": _parquet,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
}
FORMATS = tuple(_READERS)
