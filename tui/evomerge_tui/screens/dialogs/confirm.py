"""A question with two answers."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static

from evomerge_tui.screens.page import Dialog


class Confirm(Dialog[bool]):
    """True to go ahead; the safe answer has the focus."""

    def __init__(self, question: str, detail: str, do: str, *, stay: str = "Cancel") -> None:
        super().__init__()
        self._question, self._detail, self._do, self._stay = question, detail, do, stay

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static(self._question, classes="question", markup=False)
            yield Static(self._detail, classes="detail", markup=False)
            with Horizontal(classes="choices"):
                yield Button(self._stay, id="cancel")
                yield Button(self._do, id="do", variant="error")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "do")
