"""A command that creates and starts a run: its progress, and how it ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static
from textual.worker import get_current_worker

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.names import STORE
from evomerge_tui.processes.command_process import run_command
from evomerge_tui.screens.dialogs.under_way import may_end
from evomerge_tui.screens.page import Dialog
from evomerge_tui.screens.work_under_way import UnderWay
from evomerge_tui.text.quantities import duration
from evomerge_tui.text.shown_text import many_lines


class Starting(Dialog[Path | None]):
    """Carries out `words`, a command that makes the run `folder` and starts it; gives the folder when it has started, None when
    it has not. A run that is there already when it is cancelled ends as one that is stopped at once."""

    def __init__(self, name: str, folder: Path, words: Sequence[object]) -> None:
        super().__init__()
        self._name, self._folder, self._words = name, folder, words
        self._since = time.monotonic()
        self._problem = ""
        self._is_cancelled = False
        self._started: Path | None = None

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
        words = (*self._words, "--out", self._folder, "--detach")
        try:
            # a run that has been made is about to have a job: the command ends by itself, and then the job is ended
            answer = run_command(words, is_cancelled=lambda: (self._is_cancelled or worker.is_cancelled) and not self._is_made)
        except InputError as error:
            if self._is_cancelled:
                self.app.call_from_thread(self.dismiss, None)
            elif not worker.is_cancelled:
                self.app.call_from_thread(self._failed, str(error))
        else:
            self._end_the_job() if self._is_cancelled else self.app.call_from_thread(self._done, Path(answer["run"]))

    @property
    def _is_made(self) -> bool:
        return (self._folder / STORE).exists()

    def _end_the_job(self) -> None:
        from evomerge_tui.processes import job

        # a job that has ended by itself is as good
        with contextlib.suppress(InputError):
            job.end_now(self._folder)
        told = f"The run {self._folder.name} had been made already: its job was stopped. "
        told += self.evomerge.with_keys("Home lists it; {home.delete} deletes it")
        self.app.call_from_thread(self.evomerge.tell, told, "warning")
        self.app.call_from_thread(self.dismiss, None)

    def _tick(self) -> None:
        if not self._problem:
            seconds = time.monotonic() - self._since
            doing = "Cancelling" if self._is_cancelled else "Opening the models and checking every weight"
            self.query_one("#status", Static).update(f"{doing} … {duration(seconds)}")

    def _failed(self, problem: str) -> None:
        self._problem = problem
        self.evomerge.last_message = problem
        self.query_one(".question", Static).update("The run did not start")
        self.query_one("#status", Static).update(many_lines(problem))
        self.query_one("#copy").display = True
        self.query_one("#cancel", Button).label = "Close"

    def _done(self, run: Path) -> None:
        self._started = run
        if self.is_current:
            # else a question lies over this, which closes first
            self.dismiss(run)

    @on(Button.Pressed, "#copy")
    def _copy(self) -> None:
        self.evomerge.copy_text(self._problem, "message")

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Cancels the start, which closes this when it is done; after a failure, closes it."""
        self._ask_and_close()

    @work(exclusive=True, group="close")
    async def _ask_and_close(self) -> None:
        if self._problem:
            self.dismiss(None)
            return
        starting = UnderWay(f"The start of {self._name}", self._since, "No run has begun yet.")
        may = await may_end(self.app, [starting], "Cancel the start")
        if self._started is not None:
            self.dismiss(self._started)
        elif may and not self._problem:
            self._is_cancelled = True
            self.query_one("#cancel").disabled = True
            self._tick()
