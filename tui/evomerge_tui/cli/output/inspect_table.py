"""Facts about models as a table: a column for each model, a row for each fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from evomerge_tui.text.shown_text import one_line


def facts_table(models: Sequence[Mapping[str, Any]]) -> Table:
    """The table that `inspect` prints; facts that no model has are left out."""
    table = Table(box=None)
    table.add_column("")
    for model in models:
        table.add_column(Text(one_line(str(model["reference"]))), overflow="fold")
    for fact in models[0]:
        values = [model[fact] for model in models]
        if fact != "reference" and any(value not in (None, (), [], {}) for value in values):
            table.add_row(fact.replace("_", " "), *(Text(_shown(value)) for value in values))
    return table


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(str(key))} {_shown(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_shown(inner) for inner in value)
    return one_line(str(value))
