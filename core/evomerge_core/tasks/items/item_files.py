"""Items from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.columns import Column, as_value, cell_of, has_column, is_number
from evomerge_core.tasks.items.items import Item, Unread, make_item
from evomerge_core.tasks.items.rows import FileRow, read_rows

Fields = Mapping[str, Column]


def load_items(path: Path, fields: Fields | None = None, optional: Fields | None = None) -> tuple[Item, ...]:
    """The items of a JSONL, JSON, TSV, CSV or Parquet file, in its order.

    `fields` gives each field its column: a name, a way into objects by dots (`choices.text`), or in a TSV or CSV without a
    header its number, counted from 0; `optional` adds those that the row has. Without `fields` every column that holds text,
    numbers or a list of them is a field of its own name. Numbers become text as JSON writes them. Raises `InputError` for a
    missing file, a file without items, a row that lacks a field.
    """
    rows = read_rows(path, header=not _by_number(fields or {}, path))
    if not rows:
        raise InputError("holds no items", where=path, remedy="a task needs at least one")
    if fields is None:
        return tuple(_every_field(row) for row in rows)
    return tuple(_named_fields(row, fields, optional or {}) for row in rows)


def _by_number(fields: Fields, path: Path) -> bool:
    kinds = {isinstance(column, int) for column in fields.values()}
    if len(kinds) > 1:
        raise InputError("`fields` mixes column names and numbers", where=path, remedy="use names with a header, else numbers")
    return True in kinds


def _every_field(row: FileRow) -> Item:
    cells = {str(column): cell for column, cell in row.cells.items()}
    values = {name: as_value(cell) for name, cell in cells.items()}
    return make_item(
        {name: value for name, value in values.items() if not isinstance(value, Unread)},
        row.origin,
        numbers=[name for name, cell in cells.items() if is_number(cell)],
        unread={name: value for name, value in values.items() if isinstance(value, Unread)},
    )


def _named_fields(row: FileRow, fields: Fields, optional: Fields) -> Item:
    there = {name: column for name, column in optional.items() if has_column(row, column)}
    cells = {name: cell_of(row, column, name) for name, column in {**there, **fields}.items()}
    values = {name: as_value(cell) for name, cell in cells.items()}
    for name, value in values.items():
        if isinstance(value, Unread) and name in fields:
            problem = f"column {fields[name]!r} holds no text for the field `{name}`: {value.reason}"
            raise InputError(problem, where=row.origin, remedy=value.remedy)
    return make_item(
        {name: value for name, value in values.items() if not isinstance(value, Unread)},
        row.origin,
        numbers=[name for name, cell in cells.items() if is_number(cell)],
    )
