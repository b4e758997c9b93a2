"""A command that creates and starts a run: its progress, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static
from textual.worker import get_current_worker

from evomerge_core.errors import InputError
from evomerge_tui.processes.command_process import run_command
from evomerge_tui.screens.page import Dialog
from evomerge_tui.text.quantities import duration
from evomerge_tui.text.shown_text import many_lines


class Starting(Dialog[Path | None]):
    """Carries out `words`, a command that prints the run's folder; the folder when it has started, None when it has not."""

    def __init__(self, name: str, words: Sequence[object]) -> None:
        super().__init__()
        self._name, self._words = name, words
        self._since = time.monotonic()
        self._problem = ""

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static(f"Starting {self._name}", classes="question", markup=False)
            yield Static("", classes="detail", id="status", markup=False)
            with Horizontal(classes="choices"):
                yield Button("Copy", id="copy")
                yield Button("Cancel", id="cancel")

    def on_mount(self) -> None:
        self.query_one("#copy").display = False
        self.query_one("#cancel").focus()
        self.set_interval(1.0, self._tick)
        self._tick()
        self._run()

    @work(thread=True, exit_on_error=False)
    def _run(self) -> None:
        worker = get_current_worker()
        try:
            answer = run_command(self._words, is_cancelled=lambda: worker.is_cancelled)
        except InputError as error:
            if not worker.is_cancelled:
                self.app.call_from_thread(self._failed, str(error))
        else:
            self.app.call_from_thread(self.dismiss, Path(answer["run"]))

    def _tick(self) -> None:
        if not self._problem:
            seconds = time.monotonic() - self._since
            text = f"Opening the models and checking every weight … {duration(seconds)}"
            self.query_one("#status", Static).update(text)

    def _failed(self, problem: str) -> None:
        self._problem = problem
        self.evomerge.last_message = problem
        self.query_one(".question", Static).update("The run did not start")
        self.query_one("#status", Static).update(many_lines(problem))
        self.query_one("#copy").display = True
        self.query_one("#cancel", Button).label = "Close"

    @on(Button.Pressed, "#copy")
    def _copy(self) -> None:
        self.evomerge.copy_text(self._problem, "message")

    @on(Button.Pressed, "#cancel")
    def _close(self) -> None:
        self.dismiss(None)
