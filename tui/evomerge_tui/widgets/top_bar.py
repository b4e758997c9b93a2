"""The line at the top: where we are, and how it stands there."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from evomerge_tui.text.shown_text import one_line


class TopBar(Horizontal):
    """`evomerge › title` at the left, a standing at the right."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> Iterable[Widget]:
        yield Static("evomerge", id="brand", markup=False)
        yield Static(self._heading(), id="heading", markup=False)
        yield Static("", id="standing", markup=False)

    def set_title(self, title: str) -> None:
        """Another heading; the text may come from data."""
        self._title = title
        self.query_one("#heading", Static).update(self._heading())

    def set_standing(self, text: Text | Content) -> None:
        """The right side."""
        self.query_one("#standing", Static).update(text)

    def _heading(self) -> Text:
        return Text(f"› {one_line(self._title, 100)}" if self._title else "", no_wrap=True, overflow="ellipsis")
