"""A row's cells as fields: which column a field comes from, and what of it is text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.choices import without_empty_end
from evomerge_core.tasks.items.items import Unread, Value
from evomerge_core.tasks.items.rows import FileRow

Column = str | int
Columns = Column | tuple[Column, ...]

_FILL = "fill it or remove the row"
_SEPARATORS = ",;\t|"


def cell_of(row: FileRow, column: Column, name: str) -> object:
    """The cell of a column: its name, its number, or a way into objects and lists by dots, `choices.text`, `turns.0.value`.

    A name that leads into a list of objects gives the list of what they have. Raises `InputError` that names the field where
    the row has no such column.
    """
    if column in row.cells:
        return row.cells[column]
    value: object = row.cells
    way: list[str] = []
    for part in str(column).split("."):
        if value is None and way:
            return None
        there = _parts(value)
        if part not in there:
            raise _no_column(row, column, name, ".".join(way), there)
        value = there[part]
        way.append(part)
    return value


def cells_of(row: FileRow, columns: Sequence[Column], name: str) -> list[object]:
    """The cells of several columns, without the ones at the end that are empty or, in a row of JSON, not there."""
    return without_empty_end([cell_of(row, column, name) if has_column(row, column) else None for column in columns])


def has_column(row: FileRow, column: Column) -> bool:
    """Whether the row has the column, with something in it."""
    try:
        return cell_of(row, column, "") is not None
    except InputError:
        return False


def as_value(cell: object, column: Column) -> Value | Unread:
    """A cell as a field's text, or texts; numbers become text as JSON writes them. Else why the column holds no text."""
    if not isinstance(cell, Sequence) or isinstance(cell, str | bytes):
        text = _text(cell)
        return _why_not(cell, column) if text is None else text
    texts = [_text(element) for element in cell]
    kept = tuple(text for text in texts if text is not None)
    return kept if kept and len(kept) == len(texts) else _why_not(cell, column)


def as_values(cells: Sequence[object], columns: Sequence[Column]) -> Value | Unread:
    """The cells of several columns as a field's texts, one each. Else which of them holds no text, and why."""
    for cell, column in zip(cells, columns, strict=False):
        if isinstance(cell, list):
            return Unread(f"of `{column}`, it is a list", "name one column that is a list, or several of texts")
        if _text(cell) is None:
            why = _why_not(cell, column)
            return Unread(f"of `{column}`, {why.reason}", why.remedy)
    return tuple(text for text in map(_text, cells) if text is not None) or Unread("all of them are empty", _FILL)


def is_number(cell: object) -> bool:
    """Whether a cell is a number, or a list of numbers."""
    elements = cell if isinstance(cell, list) else [cell]
    return bool(elements) and all(isinstance(one, int | float) and not isinstance(one, bool) for one in elements)


def _parts(value: object) -> Mapping[str, object]:
    """What can be reached inside of a value by one more name."""
    if isinstance(value, Mapping):
        return {str(name): part for name, part in value.items()}
    if not isinstance(value, list):
        return {}
    numbered = {str(place): element for place, element in enumerate(value)}
    objects = [element for element in value if isinstance(element, Mapping)]
    if not objects or len(objects) < len(value):
        return numbered
    return {**numbered, **{str(name): [element.get(name) for element in objects] for name in objects[0]}}


def _no_column(row: FileRow, column: Column, name: str, way: str, there: Mapping[str, object]) -> InputError:
    holder = f"`{way}` has" if way else "it has"
    known = f"{holder} {', '.join(there)}" if there else f"`{way}` holds nothing that has a name"
    remedy = "correct `fields`"
    if len(row.cells) == 1 and not way:
        (only,) = (key if isinstance(key, str) else str(cell) for key, cell in row.cells.items())
        if any(mark in only for mark in _SEPARATORS):
            remedy = "separate the cells of a .tsv by tabs, or name the file .csv"
    return InputError(f"no column {column!r} for the field `{name}` ({known})", where=row.origin, remedy=remedy)


def _text(cell: object) -> str | None:
    if isinstance(cell, str):
        return cell if cell.strip() else None
    return json.dumps(cell) if isinstance(cell, bool | int | float) else None


def _why_not(cell: object, column: Column) -> Unread:
    if cell is None or isinstance(cell, str):
        return Unread("it is empty", _FILL)
    if isinstance(cell, Mapping):
        return Unread(f"it is an object with the keys {', '.join(map(str, cell))}", _reach_into(cell, column))
    if not isinstance(cell, list):
        return Unread(f"it is a value of the type {type(cell).__name__}", "write it as text")
    inner = next((element for element in cell if _text(element) is None), None)
    if not cell:
        return Unread("it is an empty list", _FILL)
    if isinstance(inner, Mapping):
        return Unread(f"it is a list of objects with the keys {', '.join(map(str, inner))}", _reach_into(inner, column))
    if isinstance(inner, list):
        return Unread("it is a list of lists", "write one list of texts")
    return Unread("it is a list with an empty entry", _FILL)


def _reach_into(inner: Mapping[object, object], column: Column) -> str:
    return f"name what is in it under `fields`, such as `{column}.{next(iter(inner), 'text')}`"
