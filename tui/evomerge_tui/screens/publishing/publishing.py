"""Publish: a winner on the hub, with what will be sent and its card shown first."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, ProgressBar, Static

from evomerge_core.errors import InputError
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.processes.line_process import command_lines
from evomerge_tui.screens.page import Page
from evomerge_tui.screens.work_under_way import UnderWay
from evomerge_tui.text.quantities import amount
from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.form_row import FormRow, Tick
from evomerge_tui.widgets.top_bar import TopBar

# A name to look with before there is one: the card says how to run the model by it.
_EXAMPLE = "OWNER/NAME"


class PublishingScreen(Page):
    """The command `publish` does the work, in a process of its own."""

    CSS_PATH = "publishing.tcss"
    SCOPES = ("publishing",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("publishing")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._looked: dict[str, Any] | None = None
        self._began: float | None = None
        self._url = ""

    def body(self) -> Iterable[Widget]:
        with Vertical(id="form"):
            yield FormRow("Repository", Input(placeholder=_EXAMPLE, id="repo"), "enter shows the card for it")
            yield FormRow("Private", Tick("nobody else sees it", id="private"))
        yield ProgressBar(id="bar", show_eta=False, total=100)
        yield Static("", id="told", markup=False)
        with VerticalScroll(id="preview"):
            yield Static("", id="files", markup=False)
            yield Static("", id="card", markup=False)

    def on_mount(self) -> None:
        self.query_one(TopBar).set_title(f"{self.folder.name} › publish")
        self.query_one("#bar").display = False
        self.query_one("#told", Static).update(Content.styled("reading the winner ...", "$text-muted"))
        self.query_one("#repo").focus()
        self._look()

    def _repo(self) -> str:
        return self.query_one("#repo", Input).value.strip()

    def _words(self, repo: str) -> list[str]:
        private = self.query_one("#private", Tick).value
        return ["publish", str(self.folder), "--to", repo, *(["--private"] if private else [])]

    @on(Input.Submitted, "#repo")
    def _named(self) -> None:
        self._look()
        self.query_one("#preview").focus()

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        """The files and the card, as they would be sent."""
        try:
            async for line in command_lines([*self._words(self._repo() or _EXAMPLE), "--dry-run"]):
                self._looked = line
        except InputError as error:
            self._looked = None
            self._failed(str(error))
            return
        if self._looked is not None and self._began is None:
            self._show(self._looked)

    def _show(self, looked: dict[str, Any]) -> None:
        lines = [f"{amount(file['bytes']):>8}  {one_line(file['path'], 120)}" for file in looked["files"]]
        self.query_one("#files", Static).update("\n".join([*lines, f"{amount(looked['bytes']):>8}  in all", ""]))
        self.query_one("#card", Static).update(many_lines(looked["card"]))
        self.query_one("#told", Static).update("Nothing is sent before you start it.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        possible = {"start": self._began is None, "copy": bool(self._url)}
        return possible.get(action, True)

    def action_start(self) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self._repo()):
            self.evomerge.tell("Name the repository first: OWNER/NAME", "warning")
            self.query_one("#repo").focus()
            return
        self._send()

    def action_copy(self) -> None:
        self.evomerge.copy_text(self._url, "address")

    @work(exclusive=True, group="send", exit_on_error=False)
    async def _send(self) -> None:
        self._set_working(True)
        try:
            async for line in command_lines(self._words(self._repo())):
                if "file" in line:
                    self.query_one("#bar", ProgressBar).update(progress=100 * line["done"] / max(1, line["total"]))
                    self.query_one("#told", Static).update(f"sending {one_line(line['file'], 120)}")
                else:
                    self._url = line["url"]
        except InputError as error:
            self._failed(str(error))
        else:
            self.query_one("#told", Static).update(Content.assemble(("✓ published: ", "$success"), one_line(self._url, 200)))
            self.evomerge.tell(f"Published: {self._url}")
        finally:
            self._set_working(False)

    def _set_working(self, working: bool) -> None:
        self._began = time.monotonic() if working else None
        if self.is_mounted:
            self.query_one("#bar").display = working
            self.query_one(TopBar).set_standing(Content.styled("● publishing", "$success") if working else Content(""))
            self.refresh_bindings()

    def _failed(self, reason: str) -> None:
        self.query_one("#told", Static).update(Content.styled(many_lines(reason), "$error"))

    def under_way(self) -> Iterable[UnderWay]:
        if self._began is not None:
            yield UnderWay(f"Publishing {self.folder.name}", self._began, "What has arrived isn't sent again next time.")
