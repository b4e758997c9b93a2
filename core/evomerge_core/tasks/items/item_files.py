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
    numbers or a list of them is a field of its own name, beside the optional ones. Numbers become text as JSON writes them.
    Raises `InputError` for a missing file, a file without items, a row that lacks a field.
    """
    rows = read_rows(path, header=not _by_number(fields or {}, path))
    if not rows:
        raise InputError("holds no items", where=path, remedy="a task needs at least one")
    if fields is None:
        return tuple(_every_field(row, optional or {}) for row in rows)
    return tuple(_named_fields(row, fields, optional or {}) for row in rows)


def _by_number(fields: Fields, path: Path) -> bool:
    kinds = {isinstance(column, int) for column in fields.values()}
    if len(kinds) > 1:
        raise InputError("`fields` mixes column names and numbers", where=path, remedy="use names with a header, else numbers")
    return True in kinds


def _every_field(row: FileRow, optional: Fields) -> Item:
    cells = {str(column): cell for column, cell in row.cells.items()}
    return _item(row, {**_there(row, optional), **cells}, {name: name for name in cells} | dict(optional))


def _named_fields(row: FileRow, fields: Fields, optional: Fields) -> Item:
    cells = {**_there(row, optional), **{name: cell_of(row, column, name) for name, column in fields.items()}}
    item = _item(row, cells, {**optional, **fields})
    for name in fields:
        if name in item.unread:
            why = item.unread[name]
            problem = f"column {fields[name]!r} holds no text for the field `{name}`: {why.reason}"
            raise InputError(problem, where=row.origin, remedy=why.remedy)
    return item


def _there(row: FileRow, optional: Fields) -> dict[str, object]:
    return {name: cell_of(row, column, name) for name, column in optional.items() if has_column(row, column)}


def _item(row: FileRow, cells: Mapping[str, object], columns: Fields) -> Item:
    values = {name: as_value(cell, columns[name]) for name, cell in cells.items()}
    return make_item(
        {name: value for name, value in values.items() if not isinstance(value, Unread)},
        row.origin,
        numbers=[name for name, cell in cells.items() if is_number(cell)],
        unread={name: value for name, value in values.items() if isinstance(value, Unread)},
    )
