"""The next key that is pressed, for an action."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events, on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static

from evomerge_tui.keys.actions import Action
from evomerge_tui.keys.key_names import key_names
from evomerge_tui.screens.page import Dialog


class PressKey(Dialog[str | None]):
    """The key by Textual's name; an empty text for the default key; None to change nothing."""

    def __init__(self, action: Action) -> None:
        super().__init__()
        self._action = action

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static(f"Press the new key for: {self._action.description}", classes="question", markup=False)
            detail = f"{self._action.tooltip}. Default: {key_names(self._action.key)}. Enter, tab and esc can't be used."
            yield Static(detail, classes="detail", markup=False)
            with Horizontal(classes="choices"):
                yield Button("Cancel", id="cancel")
                yield Button("Default key", id="own")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    def on_key(self, event: events.Key) -> None:
        if event.key in ("enter", "tab", "shift+tab", "escape"):
            return
        event.stop()
        event.prevent_default()
        self.dismiss("" if event.key in ("delete", "backspace") else event.key)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#own")
    def _own(self) -> None:
        self.dismiss("")
