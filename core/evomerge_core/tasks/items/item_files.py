"""Items from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.items import Item, Value, make_item
from evomerge_core.tasks.items.rows import FileRow, read_rows

Column = str | int
Fields = Mapping[str, Column]


def load_items(path: Path, fields: Fields | None = None) -> tuple[Item, ...]:
    """The items of a JSONL, JSON, TSV, CSV or Parquet file, in its order.

    `fields` gives each field its column: a name, or in a TSV or CSV without a header its number, counted from 0. Without
    `fields` every column that holds text, numbers or a list of them is a field of its own name. Numbers become text as
    JSON writes them. Raises `InputError` for a missing file, a file without items, a row that lacks a field.
    """
    rows = read_rows(path, header=not _by_number(fields or {}, path))
    if not rows:
        raise InputError("holds no items", where=path, remedy="a task needs at least one")
    if fields is None:
        return tuple(make_item(_every_field(row), row.origin) for row in rows)
    return tuple(make_item({name: _field(row, name, fields[name]) for name in fields}, row.origin) for row in rows)


def _by_number(fields: Fields, path: Path) -> bool:
    kinds = {isinstance(column, int) for column in fields.values()}
    if len(kinds) > 1:
        raise InputError("`fields` mixes column names and numbers", where=path, remedy="use names with a header, else numbers")
    return True in kinds


def _every_field(row: FileRow) -> dict[str, Value]:
    values = {str(column): _value(cell) for column, cell in row.cells.items()}
    return {name: value for name, value in values.items() if value is not None}


def _field(row: FileRow, name: str, column: Column) -> Value:
    if column not in row.cells:
        there = f"it has {', '.join(str(known) for known in row.cells)}"
        raise InputError(f"no column {column!r} for the field `{name}` ({there})", where=row.origin, remedy="correct `fields`")
    value = _value(row.cells[column])
    if value is None:
        raise InputError(
            f"column {column!r} holds no text for the field `{name}`", where=row.origin, remedy="fill it or remove the row"
        )
    return value


def _value(cell: object) -> Value | None:
    if isinstance(cell, Sequence) and not isinstance(cell, str | bytes):
        texts = tuple(_text(element) for element in cell)
        return tuple(text for text in texts if text is not None) if texts and None not in texts else None
    return _text(cell)


def _text(cell: object) -> str | None:
    if isinstance(cell, str):
        return cell if cell.strip() else None
    return json.dumps(cell) if isinstance(cell, bool | int | float) else None
