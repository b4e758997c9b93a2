"""The export screen: from a winner to verified GGUF files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, ProgressBar, Select, Static

from evomerge_core.errors import InputError
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.processes.line_process import command_lines
from evomerge_tui.screens.dialogs.under_way import may_end
from evomerge_tui.screens.export.export_lines import TypeRow, done_lines, room_line, type_columns
from evomerge_tui.screens.page import Page
from evomerge_tui.screens.work_under_way import UnderWay
from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.form_row import FormRow, Tick
from evomerge_tui.widgets.rows_table import RowsTable
from evomerge_tui.widgets.top_bar import TopBar

# What the command `quickstart` ends with.
QUICKSTART_TYPES = ("Q8_0", "Q4_K_M")
_TYPING_SECONDS = 0.2
_NEXT_KEYS = "{export.chat}: chat with it, {export.copy}: copy"
_SUSPECT = ".suspect.gguf"
# The usual types; the command line knows all of llama.cpp's.
TYPES = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M")
_RUNNERS = (
    ("none", ""),
    ("Ollama", "ollama"),
    ("LM Studio", "lmstudio"),
    ("KoboldCpp", "koboldcpp"),
    ("Jan", "jan"),
)


class ExportScreen(Page):
    """`candidate` None: the winner. The command `export` does the work, in a process of its own."""

    CSS_PATH = "export.tcss"
    SCOPES = ("export", "table")
    BINDINGS: ClassVar[list[BindingType]] = bindings("export")

    def __init__(self, folder: Path, candidate: str | None = None, *, at_once: bool = False) -> None:
        super().__init__()
        self.folder, self.candidate, self._at_once = folder, candidate, at_once
        self._chosen = {*QUICKSTART_TYPES} if at_once else {"Q4_K_M"}
        self._plan: dict[str, Any] | None = None
        self._result: dict[str, Any] | None = None
        self._began: float | None = None

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="export"):
            with Vertical(id="choice"):
                yield RowsTable[TypeRow](type_columns(), lambda row: row.name, sort="name", id="types")
                with VerticalScroll(id="options", can_focus=False):
                    yield FormRow("Copy to app", Select(_RUNNERS, id="runner", allow_blank=False, compact=True))
                    yield FormRow("Folder", Input(id="out", placeholder="beside the model"))
                    yield FormRow("Eyes", Input(id="mmproj", placeholder="converted"), "or an mmproj file", id="eyes-row")
                    yield FormRow("Importance", Tick("measure what matters", id="imatrix"), "slower, better", id="imatrix-row")
                    yield FormRow("Verify", Tick("compare each file with the model", value=True, id="proof"))
            with VerticalScroll(id="progress", classes="panel"):
                yield Static("", id="room", markup=False)
                yield ProgressBar(id="bar", show_eta=False, total=100)
                yield Static("", id="steps", markup=False)

    def on_mount(self) -> None:
        self.query_one(TopBar).set_title(f"{self.folder.name} › export{f' {self.candidate}' if self.candidate else ''}")
        self.query_one("#progress").border_title = "Files"
        self.query_one("#bar").display = False
        self._show_options(sees=False)
        self.query_one("#room", Static).update(Content.styled("reading the model ...", "$text-muted"))
        self._show_types()
        self.query_one("#types").focus()
        self._look()
        if self._at_once:
            self.action_start()

    def _words(self) -> list[str]:
        words = ["export", str(self.folder)]
        if self.candidate is not None:
            words += ["--candidate", self.candidate]
        if out := self.query_one("#out", Input).value.strip():
            words += ["--out", str(Path(out).expanduser())]
        if runner := self.query_one("#runner", Select).value:
            words += ["--for", str(runner)]
        if eyes := self.query_one("#mmproj", Input).value.strip():
            words += ["--mmproj", str(Path(eyes).expanduser())]
        if self.query_one("#imatrix", Tick).value:
            words += ["--imatrix"]
        return words

    @on(Select.Changed, "#runner")
    @on(Tick.Changed, "#imatrix")
    @on(Input.Changed, "#out")
    @on(Input.Changed, "#mmproj")
    def _changed(self) -> None:
        self._look()

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        """How large the files would be, and what they would lose: of what the form says, soon after the last key."""
        await asyncio.sleep(_TYPING_SECONDS)
        try:
            async for plan in command_lines([*self._words(), "--plan", "--type", *TYPES]):
                self._plan = plan
        except InputError as error:
            self._plan = None
            self._show_types()
            # where llama.cpp has no converter of a model's eyes, the reason names the option
            self._show_options(sees="--mmproj" in str(error) or bool(self.query_one("#mmproj", Input).value))
            self.query_one("#room", Static).update(Content.styled(many_lines(str(error)), "$error"))
            return
        self._show_options(sees=self._plan is not None and "mmproj" in self._plan)
        self._show_types()
        self._show_room()

    def _show_options(self, *, sees: bool) -> None:
        """A model that sees has a second file, and no importance is measured for it."""
        self.query_one("#eyes-row").display = sees
        self.query_one("#imatrix-row").display = not sees

    def _show_types(self) -> None:
        planned = {} if self._plan is None else {file["type"]: file for file in self._plan["files"]}
        rows = [TypeRow(name, name in self._chosen, planned.get(name)) for name in TYPES]
        self.query_one("#types", RowsTable).set_rows(rows)

    def _show_room(self) -> None:
        if self._plan is not None:
            self.query_one("#room", Static).update(room_line(self._plan, self._chosen))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        possible = {
            "start": self._began is None,
            "stop": self._began is not None,
            "chat": self._result is not None and any(not file["path"].endswith(_SUSPECT) for file in self._result["files"]),
            "copy": self._result is not None,
        }
        return possible.get(action, True)

    def action_choose(self) -> None:
        row = self.query_one("#types", RowsTable).row
        if row is not None:
            self._chosen ^= {row.name}
            self._show_types()
            self._show_room()

    @on(RowsTable.Opened)
    def _opened(self) -> None:
        self.action_choose()

    def action_start(self) -> None:
        if not self._chosen:
            self.evomerge.tell(self.evomerge.with_keys("choose a type first ({export.choose})"), "warning")
            return
        self._result = None
        self._export([*self._words(), *([] if self.query_one("#proof", Tick).value else ["--no-proof"])])

    @work(exclusive=True, group="export", exit_on_error=False)
    async def _export(self, words: Sequence[str]) -> None:
        steps: list[str] = []
        types = [name for name in TYPES if name in self._chosen]
        self._set_working(True)
        try:
            async for line in command_lines([*words, "--type", *types], priority=self.evomerge.settings.job_priority):
                if "step" in line:
                    self._show_step(steps, line["step"], line["share"])
                else:
                    self._result = line
        except InputError as error:
            if self._result is None:
                self._failed(str(error))
        finally:
            self._set_working(False)
        if self._result is not None:
            self.query_one("#steps", Static).update(done_lines(self._result, self.evomerge.with_keys(_NEXT_KEYS)))
            self._look()
            if self._at_once and self.is_current and self.check_action("chat", ()):
                self.action_chat()

    def _set_working(self, working: bool) -> None:
        self._began = time.monotonic() if working else None
        if self.is_mounted:
            self.query_one("#bar").display = working
            self.query_one(TopBar).set_standing(Content.styled("● exporting", "$success") if working else Content(""))
            self.refresh_bindings()

    def _show_step(self, steps: list[str], step: str, share: float | None) -> None:
        if step not in steps:
            steps.append(step)
        bar = self.query_one("#bar", ProgressBar)
        bar.update(total=None if share is None else 100, progress=100 * (share or 0.0))
        lines = [Content.assemble(("✓ ", "$success"), one_line(done)) for done in steps[:-1]]
        self.query_one("#steps", Static).update(
            Content("\n").join([*lines, Content.assemble(("● ", "$primary"), one_line(step))])
        )

    def _failed(self, reason: str) -> None:
        self.query_one("#steps", Static).update(Content.styled(many_lines(reason), "$error"))
        self.evomerge.tell(reason, "error")

    def under_way(self) -> Iterable[UnderWay]:
        if self._began is not None:
            yield UnderWay(f"The export of {self.folder.name}", self._began, "Finished files stay; the rest is lost.")

    @work(exclusive=True, group="stop")
    async def action_stop(self) -> None:
        if not await may_end(self.app, self.under_way(), "Cancel the export") or self._began is None:
            return
        self.workers.cancel_group(self, "export")
        self.query_one("#steps", Static).update(Content.styled("cancelled; finished files stay", "$warning"))

    def action_copy(self) -> None:
        if self._result is not None:
            file = self._result["files"][0]
            handover = file.get("handover")
            self.evomerge.copy_text(handover["next"] if handover else file["path"], "command" if handover else "path")

    def action_chat(self) -> None:
        """With what was exported, wherever it lies."""
        files = [] if self._result is None else [Path(file["path"]) for file in self._result["files"]]
        self.evomerge.open_chat(self.folder, next((file for file in files if not file.name.endswith(_SUSPECT)), None))
