"""The last step: the checklist, the recipe as its file, and the start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Input, TabbedContent, TabPane, TextArea

from evomerge_core.errors import InputError
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.new_run.draft import Draft
from evomerge_tui.screens.new_run.field_titles import with_titles
from evomerge_tui.screens.new_run.messages import Judged, StartAsked
from evomerge_tui.screens.new_run.review.checks_shown import Checklist
from evomerge_tui.screens.new_run.step import Step
from evomerge_tui.user.settings import Settings
from evomerge_tui.widgets.form_row import FormRow

_UNREADY = "The checklist still shows problems: fix them first, then press {review.again} to check again"


class ReviewStep(Step):
    """Checks as soon as it is entered."""

    SCOPE = "review"
    BINDINGS: ClassVar[list[BindingType]] = bindings("review")

    def __init__(self, draft: Draft) -> None:
        super().__init__(draft)
        self._own_folder = False
        self._checked: Any = None
        self.ready = False

    def compose(self) -> Iterable[Widget]:
        yield FormRow("Run folder", Input(id="run-folder"), "")
        with TabbedContent(id="review-tabs"):
            with TabPane("Checklist", id="checklist-pane"), VerticalScroll(id="checklist-scroll", can_focus=True):
                yield Checklist()
            with TabPane("Recipe", id="recipe-pane"):
                yield TextArea("", id="recipe-text", read_only=True, compact=True, show_line_numbers=True)
        with Horizontal(classes="buttons"):
            yield Button("Check again", id="again", tooltip="Run the checklist again")
            yield Button("Save recipe", id="save", tooltip="Write the recipe to a file")
            yield Button("Start", id="start", variant="primary", tooltip="Save the recipe, start the run, and watch it")

    @property
    def run_folder(self) -> Path:
        """Where the run will be made."""
        return Path(self.query_one("#run-folder", Input).value.strip()).expanduser()

    def enter(self) -> None:
        self.query_one("#checklist-scroll").focus()
        if self._checked != self.draft.data:
            self.action_again()

    def refresh_draft(self) -> None:
        if not self._own_folder:
            with self.prevent(Input.Changed):
                self.query_one("#run-folder", Input).value = str(free_folder(self._usual_folder()))
        if self.display and self._checked != self.draft.data:
            self.action_again()

    def _usual_folder(self) -> Path:
        """As on the command line: the recipe's output, or `runs/NAME` beside it; where the settings name another folder for
        runs, there."""
        output, name = self.draft.get("output"), file_name(self.draft.get("name"))
        if output:
            return self.draft.folder / str(output)
        own = self.evomerge.settings.runs_folder != Settings().runs_folder
        return (self.evomerge.runs_folder if own else self.draft.folder / Settings().runs_folder) / name

    @on(Input.Changed, "#run-folder")
    def _typed_folder(self, event: Input.Changed) -> None:
        event.stop()
        self._own_folder = bool(event.value.strip())

    @on(Input.Submitted, "#run-folder")
    @on(Button.Pressed, "#again")
    def action_again(self) -> None:
        self._checked = self.draft.data
        self._check()

    def trouble(self) -> str:
        if self._checked != self.draft.data:
            return "not checked yet: step 4 runs the checklist"
        return "" if self.ready else "the checklist shows problems"

    @work(exclusive=True, group="preflight")
    async def _check(self) -> None:
        self.ready = False
        self.post_message(Judged())
        draft = self.draft
        checklist = self.query_one(Checklist)
        checklist.say("Running the checklist …")
        try:
            checked = await self.ask("check", data=draft.data, folder=str(draft.folder))
            self.query_one("#recipe-text", TextArea).load_text(checked["yaml"])
            report = await self.ask("preflight", data=draft.data, folder=str(draft.folder), out=str(self.run_folder.absolute()))
        except InputError as error:
            checklist.show([{"state": "problem", "subject": "Recipe", "text": with_titles(str(error)), "remedy": ""}])
            return
        self.ready = report["ready"]
        checklist.show(report["checks"])
        self.post_message(Judged())

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        if self.ready:
            self.post_message(StartAsked(self.run_folder))
        else:
            self.evomerge.tell(self.evomerge.with_keys(_UNREADY), "warning")

    def action_copy(self) -> None:
        self.evomerge.copy_text(self.query_one("#recipe-text", TextArea).text, "recipe")


def file_name(name: Any) -> str:
    """A recipe's name as a file's: no separators, nothing that leads elsewhere."""
    kept = "".join(sign if sign.isalnum() or sign in " .-_" else "-" for sign in str(name or "").strip())
    return kept.strip(" .") or "run"


def free_folder(folder: Path) -> Path:
    """The folder, or the first of `folder-2`, `folder-3`, ... that there isn't."""
    number, free = 2, folder
    while free.exists():
        free, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return free
