"""Leaving while a job runs: it continues unless it is to be stopped."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.commands import append_command
from evomerge_core.run.run_folder.known_runs import known_runs
from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.run_folder.names import STORE
from evomerge_tui.screens.page import Dialog
from evomerge_tui.text.shown_text import one_line


class Leaving(Dialog[str | None]):
    """`detach`, `stop`, or None to stay."""

    def __init__(self, runs: Sequence[Path]) -> None:
        super().__init__()
        self._runs = runs

    def compose(self) -> Iterable[Widget]:
        names = ", ".join(one_line(run.name, 40) for run in self._runs[:4])
        verb = "is" if len(self._runs) == 1 else "are"
        with Vertical(classes="box"):
            yield Static(f"{names} {verb} still running", classes="question", markup=False)
            detail = "Detach: the job continues without this window, and you can reopen it next time."
            yield Static(detail, classes="detail", markup=False)
            with Horizontal(classes="choices"):
                yield Button("Cancel", id="cancel")
                yield Button("Stop after this candidate", id="stop")
                yield Button("Detach", id="detach", variant="primary")

    def on_mount(self) -> None:
        self.query_one("#detach").focus()

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        self.dismiss(None if event.button.id == "cancel" else event.button.id)


async def live_runs(*places: Path) -> list[Path]:
    """The runs whose job is alive."""
    return await asyncio.to_thread(lambda: [run for run in known_runs(*places) if (run / STORE).exists() and is_held(run)])


async def stop(runs: Sequence[Path]) -> None:
    """Asks the jobs to stop after their current candidate."""
    for run in runs:
        await asyncio.to_thread(_stop, run)


def _stop(run: Path) -> None:
    try:
        append_command(run, "stop")
    except (InputError, sqlite3.Error):
        # a run that has gone meanwhile has nothing to stop
        return
