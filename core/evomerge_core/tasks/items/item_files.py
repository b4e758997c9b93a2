"""Items from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.choices import LABELS, column_labels, texts_and_labels
from evomerge_core.tasks.items.columns import Column, Columns, as_value, as_values, cell_of, cells_of, has_column, is_number
from evomerge_core.tasks.items.items import Item, Unread, Value, make_item
from evomerge_core.tasks.items.pictures import IMAGE, ItemPicture, looks_like_pictures, read_pictures
from evomerge_core.tasks.items.rows import FileRow, read_rows

Fields = Mapping[str, Columns]


def load_items(
    path: Path, fields: Fields | None = None, optional: Mapping[str, Column] | None = None, *, choices: str | None = None
) -> tuple[Item, ...]:
    """The items of a JSONL, JSON, TSV, CSV or Parquet file, in its order.

    `fields` gives each field its column: a name, a way into objects by dots (`choices.text`), or in a TSV or CSV without a
    header its number, counted from 0; several columns make a field of several texts. `optional` adds those that the row has.
    Without `fields` every column that holds text, numbers or a list of them is a field of its own name, beside the optional
    ones. The field `choices` may have labels, which become the field `labels`. Numbers become text as JSON writes them. The
    field `image` holds pictures, whose files lie beside the item file.
    Raises `InputError` for a missing file, a file without items, a row that lacks a field.
    """
    rows = read_rows(path, header=not _by_number(fields or {}, path))
    if not rows:
        raise InputError("holds no items", where=path, remedy="a task needs at least one")
    if fields is None:
        return tuple(_every_field(row, optional or {}, choices, path.parent) for row in rows)
    for name, columns in fields.items():
        _refuse_missing(rows, columns, name)
    return tuple(_named_fields(row, fields, optional or {}, choices, path.parent) for row in rows)


def _by_number(fields: Fields, path: Path) -> bool:
    named = [column for columns in fields.values() for column in (columns if isinstance(columns, tuple) else (columns,))]
    kinds = {isinstance(column, int) for column in named}
    if len(kinds) > 1:
        raise InputError("`fields` mixes column names and numbers", where=path, remedy="use names with a header, else numbers")
    return True in kinds


def _refuse_missing(rows: Sequence[FileRow], columns: Columns, name: str) -> None:
    """Raises `InputError` for one of several columns that no row has; one that a row lacks is like an empty cell."""
    for column in columns if isinstance(columns, tuple) else ():
        if not any(has_column(row, column) for row in rows):
            cell_of(rows[0], column, name)


def _every_field(row: FileRow, optional: Mapping[str, Column], choices: str | None, folder: Path) -> Item:
    cells = {str(column): cell for column, cell in row.cells.items()}
    pictures: tuple[ItemPicture, ...] = ()
    if looks_like_pictures(cells.get(IMAGE)):
        pictures = read_pictures(cells.pop(IMAGE), row.origin, folder)
    columns = {name: name for name in cells} | dict(optional)
    return _item(row, {**_there(row, optional), **cells}, columns, choices, pictures)


def _named_fields(row: FileRow, fields: Fields, optional: Mapping[str, Column], choices: str | None, folder: Path) -> Item:
    texts = {name: columns for name, columns in fields.items() if name != IMAGE}
    cells = {**_there(row, optional), **{name: _cell(row, columns, name) for name, columns in texts.items()}}
    shown = read_pictures(_cell(row, fields[IMAGE], IMAGE), row.origin, folder) if IMAGE in fields else ()
    item = _item(row, cells, {**optional, **texts}, choices, shown)
    for name, columns in texts.items():
        if name in item.unread:
            why = item.unread[name]
            place = f"columns {list(columns)!r} hold" if isinstance(columns, tuple) else f"column {columns!r} holds"
            problem = f"{place} no text for the field `{name}`: {why.reason}"
            raise InputError(problem, where=row.origin, remedy=why.remedy)
    return item


def _there(row: FileRow, optional: Mapping[str, Column]) -> dict[str, object]:
    return {name: cell_of(row, column, name) for name, column in optional.items() if has_column(row, column)}


def _cell(row: FileRow, columns: Columns, name: str) -> object:
    return cells_of(row, columns, name) if isinstance(columns, tuple) else cell_of(row, columns, name)


def _item(
    row: FileRow, cells: Mapping[str, object], columns: Fields, choices: str | None, pictures: tuple[ItemPicture, ...]
) -> Item:
    if choices is not None and choices in cells:
        cells, columns = _with_labels(cells, columns, choices)
    values = {name: _value(cell, columns[name]) for name, cell in cells.items()}
    return make_item(
        {name: value for name, value in values.items() if not isinstance(value, Unread)},
        row.origin,
        numbers=[name for name, cell in cells.items() if is_number(cell)],
        unread={name: value for name, value in values.items() if isinstance(value, Unread)},
        pictures=pictures,
    )


def _value(cell: object, columns: Columns) -> Value | Unread:
    if isinstance(columns, tuple):
        return as_values(cell if isinstance(cell, list) else [cell], columns)
    return as_value(cell, columns)


def _with_labels(cells: Mapping[str, object], columns: Fields, choices: str) -> tuple[dict[str, object], Fields]:
    """The cells with the choices as texts, and the labels that the file gives them: their columns' names, or keys."""
    of = columns[choices]
    texts, labels = (cells[choices], column_labels(of)) if isinstance(of, tuple) else texts_and_labels(cells[choices])
    if labels is None:
        return {**cells, choices: texts}, columns
    length = len(texts) if isinstance(texts, list) else 0
    return {LABELS: labels[:length], **cells, choices: texts}, {LABELS: LABELS, **columns}
