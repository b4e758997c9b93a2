"""Esc in a text field leaves the field, not the screen."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from evomerge_tui.widgets.rows_table import RowsTable


def leave_field(screen: Screen[Any]) -> bool:
    """Whether the focus was in a field for text; then it goes to the nearest list, or else to the next control."""
    field = screen.focused
    if not isinstance(field, Input | TextArea) or (isinstance(field, TextArea) and field.read_only):
        return False
    chain = screen.focus_chain
    after = [*chain[chain.index(field) + 1 :], *chain[: chain.index(field)]] if field in chain else chain
    others = [widget for widget in after if not isinstance(widget, Input | TextArea)]
    screen.set_focus(next(filter(_is_list, others), next(iter(others), None)))
    return True


def _is_list(widget: Widget) -> bool:
    return isinstance(widget, RowsTable)
