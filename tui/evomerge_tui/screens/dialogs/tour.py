"""A tour of six steps for the first start. Enter goes on; any other key leaves it and does what it always does."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from evomerge_tui.screens.shell import shell_of

STEPS = (
    ("Breeding models", "A run merges models in many ways, scores each merge on items of your task, and keeps the best."),
    (
        "The quickstart",
        "{home.quickstart} on this screen: a run in miniature, about ten minutes, no GPU. It ends with a file to chat with.",
    ),
    (
        "A run of your own",
        "{home.new}: choose models that share an architecture, say what the child must be good at, check, start.",
    ),
    ("Watching", "{table.open} on a run: scores as they come. Leave at any time: the run goes on, and is found here again."),
    (
        "The winner",
        "When a run ends, the held-out test says whether the child is better. "
        "{dashboard.export} makes GGUF files, {dashboard.chat} chats, {dashboard.publish} shares.",
    ),
    (
        "Finding things",
        "{app.help} lists the keys of every screen, {app.palette} finds actions, runs and recipes by name. "
        "{app.tour} shows this again.",
    ),
)
_ON = ("enter", "right", "space")


class Tour(ModalScreen[None]):
    """One step after another, at the bottom of the screen that it is about."""

    DEFAULT_CSS = """
    Tour { align: center bottom; }
    Tour #tour { width: 1fr; max-width: 100; height: auto; border: round $primary; background: $surface; padding: 0 1; }
    Tour #tour-keys { color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._step = 0

    def compose(self) -> Iterable[Widget]:
        with Vertical(id="tour"):
            yield Static("", id="tour-text", markup=False)
            yield Static("", id="tour-keys", markup=False)

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        title, text = STEPS[self._step]
        self.query_one("#tour").border_title = f"{self._step + 1} of {len(STEPS)}: {title}"
        self.query_one("#tour-text", Static).update(Content(shell_of(self).with_keys(text)))
        last = self._step + 1 == len(STEPS)
        self.query_one("#tour-keys", Static).update("enter: begin" if last else "enter: next · any other key leaves the tour")

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key in _ON and self._step + 1 < len(STEPS):
            self._step += 1
            self._show()
            return
        self.dismiss(None)
        if event.key not in _ON:
            # what the key does on the screen below
            self.app.call_later(self.app.simulate_key, event.key)

    def on_click(self) -> None:
        self.dismiss(None)
