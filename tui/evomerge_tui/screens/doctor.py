"""Doctor: what is missing on this machine, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from evomerge_core.errors import InputError
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.machine.doctor.check import Check
from evomerge_tui.machine.doctor.surroundings import terminal_checks
from evomerge_tui.processes.command_process import run_command
from evomerge_tui.screens.page import Page
from evomerge_tui.text.shown_text import many_lines
from evomerge_tui.widgets.rows_table import Cell, Column, RowsTable
from evomerge_tui.widgets.top_bar import TopBar

_COPY = "press {doctor.copy} to copy"
_STATES = {"ok": ("✓ ok", "good"), "note": ("○ note", "best"), "missing": ("✗ missing", "bad")}


@dataclass
class Examined(Message):
    """What was found."""

    checks: tuple[Check, ...]


class DoctorScreen(Page):
    """Looks in a process of its own: torch and llama.cpp take seconds to load."""

    TITLE = "Doctor"
    CSS_PATH = "doctor.tcss"
    SCOPES = ("doctor", "table")
    BINDINGS: ClassVar[list[BindingType]] = bindings("doctor")

    def body(self) -> Iterable[Widget]:
        with Vertical(id="checks"):
            yield RowsTable[Check](_columns(), lambda check: check.name, sort="state", opens=None, id="check-list")
            yield Static("", id="remedy", markup=False)

    def on_mount(self) -> None:
        self.query_one("#check-list").focus()
        self.action_again()

    def action_again(self) -> None:
        self.query_one(TopBar).set_standing(Content("checking …"))
        self.query_one(RowsTable).set_empty("Checking: torch and llama.cpp take a few seconds to load …")
        self._examine()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _examine(self) -> None:
        worker = get_current_worker()
        try:
            answer = run_command(("doctor",), is_cancelled=lambda: worker.is_cancelled)
        except InputError as error:
            if not worker.is_cancelled:
                self.app.call_from_thread(self.evomerge.tell, str(error), "error")
            return
        # the other process has no terminal: what this one can show is looked at here
        here = {check.name: check for check in terminal_checks()}
        found = (Check(**check) for check in answer["checks"])
        self.post_message(Examined(tuple(here.get(check.name, check) for check in found)))

    @on(Examined)
    def _show(self, message: Examined) -> None:
        self.query_one("#check-list", RowsTable).set_rows(message.checks)
        missing = sum(check.state == "missing" for check in message.checks)
        summary = (
            Content.styled(f"{missing} missing", "$error") if missing else Content.styled("nothing is missing", "$success")
        )
        self.query_one(TopBar).set_standing(summary)

    @on(RowsTable.Moved)
    def _moved(self, event: RowsTable.Moved) -> None:
        advice = "" if event.row is None else _advice(event.row, self.evomerge.with_keys(_COPY))
        self.query_one("#remedy", Static).update(advice)

    def action_copy(self) -> None:
        check = self.query_one("#check-list", RowsTable).row
        if check is not None and check.remedy:
            self.evomerge.copy_text(check.remedy, "command")


def _columns() -> list[Column[Check]]:
    order = list(_STATES)[::-1]
    return [
        Column("state", "State", 10, lambda check: _STATES[check.state], lambda check: order.index(check.state)),
        Column("name", "What", 18, lambda check: (check.name, ""), lambda check: check.name),
        Column("found", "Found", 0, _found, lambda check: check.found),
    ]


def _found(check: Check) -> Cell:
    return check.found, "muted" if check.state == "ok" else ""


def _advice(check: Check, how_to_copy: str) -> Content:
    if not check.remedy:
        return Content.assemble((check.name, "bold"), f"  {many_lines(check.found)}")
    return Content.assemble(
        (check.name, "bold"),
        f"  {many_lines(check.found)}\n",
        (many_lines(check.remedy), "$primary"),
        (f"  {how_to_copy}", "$text-muted"),
    )
