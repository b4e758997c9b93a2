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
    rows = [_rows(model) for model in models]
    for fact in dict.fromkeys(fact for row in rows for fact in row):
        values = [row.get(fact) for row in rows]
        if fact != "reference" and any(value not in (None, (), [], {}) for value in values):
            table.add_row(fact.replace("_", " "), *(Text(_shown(value)) for value in values))
    return table


def _rows(model: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a model; those of its eyes each have a row of their own."""
    eyes = model.get("vision") or {}
    return {**{fact: value for fact, value in model.items() if fact != "vision"}, **{f"eyes: {k}": v for k, v in eyes.items()}}


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        stated = ((key, inner) for key, inner in value.items() if inner is not None)
        return ", ".join(f"{one_line(str(key).replace('_', ' '))} {_shown(inner)}" for key, inner in stated)
    if isinstance(value, list | tuple):
        return ", ".join(_shown(inner) for inner in value)
    return one_line(str(value))
