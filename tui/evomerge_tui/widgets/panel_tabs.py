"""Names of panels in a line, where only one panel has room at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static


class _Tab(Static):
    def __init__(self, title: str, name: str) -> None:
        super().__init__(title, markup=False, id=f"tab-{name}")
        self._panel = name

    def on_click(self) -> None:
        self.post_message(PanelTabs.Chosen(self._panel))


class PanelTabs(Horizontal):
    """`panels`: names to titles. The first is chosen at the start."""

    @dataclass
    class Chosen(Message):
        """A name was clicked."""

        name: str

    def __init__(self, panels: Mapping[str, str]) -> None:
        super().__init__()
        self._panels = panels

    def compose(self) -> Iterable[Widget]:
        for number, (name, title) in enumerate(self._panels.items()):
            yield _Tab(title, name).set_class(not number, "-chosen")

    def choose(self, name: str) -> None:
        """Marks a name."""
        for panel in self._panels:
            self.query_one(f"#tab-{panel}").set_class(panel == name, "-chosen")
