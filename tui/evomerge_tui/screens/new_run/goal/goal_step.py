"""The second step: what the child must be good at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Static, TabbedContent, TabPane

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import written_path
from evomerge_core.recipe.efforts import fitted_splits
from evomerge_core.tasks.items.split import SPLITS
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.new_run.draft import Draft, task_name, with_task, without_task
from evomerge_tui.screens.new_run.goal.add_task import AddTask
from evomerge_tui.screens.new_run.goal.parents_trial import ParentsTrial
from evomerge_tui.screens.new_run.goal.task_form import TaskEdited, TaskForm
from evomerge_tui.screens.new_run.goal.task_preview import preview_pictures, preview_text
from evomerge_tui.screens.new_run.messages import ItemsRead, Judged
from evomerge_tui.screens.new_run.step import Step
from evomerge_tui.screens.work_under_way import UnderWay
from evomerge_tui.text.shown_text import one_line
from evomerge_tui.widgets.picture_view import PictureView
from evomerge_tui.widgets.rows_table import Cell, Column, RowsTable

_EMPTY = "No tasks yet: press {goal.add} to add one."
_WAIT_SECONDS = 0.4
_LOOK_SECONDS = 1.0


class GoalStep(Step):
    """Tasks, a form for the one under the cursor, its items as the model gets them, and a try with the parents."""

    SCOPE = "goal"
    BINDINGS: ClassVar[list[BindingType]] = bindings("goal")

    def __init__(self, draft: Draft) -> None:
        super().__init__(draft)
        self._previews: dict[str, Mapping[str, Any] | str] = {}
        self._item = 0

    def compose(self) -> Iterable[Widget]:
        yield RowsTable[tuple[int, Mapping[str, Any]]](
            _columns(), lambda row: row[0], sort="number", id="task-list", empty=self.evomerge.with_keys(_EMPTY), opens="Edit"
        )
        with Horizontal(classes="buttons"):
            yield Button("Add task", id="add", tooltip="Add a ready task or a file of your own")
            yield Button("Remove", id="remove", tooltip="Remove this task")
            yield Button("Fit sizes", id="fit-sizes", tooltip="Use as many items as there are")
            yield Button("Next: search", id="next", variant="primary")
        with TabbedContent(id="goal-tabs"):
            with TabPane("Preview", id="preview-pane"):
                with Horizontal(classes="toolbar"):
                    yield Button("‹", id="item-before", tooltip="The previous item")
                    yield Button("›", id="item-after", tooltip="The next item")
                    yield Static("", id="preview-head", markup=False)
                with VerticalScroll(id="preview-scroll", can_focus=True), Horizontal(id="preview-item"):
                    yield PictureView(id="preview-pictures")
                    yield Static("", id="preview-text", markup=False)
            with TabPane("Task", id="task-pane"):
                yield TaskForm()
            with TabPane("Try parents", id="try-pane"), Vertical():
                yield ParentsTrial()

    def under_way(self) -> Iterable[UnderWay]:
        return self.query_one(ParentsTrial).under_way()

    def on_mount(self) -> None:
        self.set_interval(_LOOK_SECONDS, self._look_again)

    def enter(self) -> None:
        (self.table if self.draft.tasks else self.query_one("#add")).focus()

    @property
    def table(self) -> RowsTable[tuple[int, Mapping[str, Any]]]:
        return self.query_one("#task-list", RowsTable)

    @property
    def chosen(self) -> int | None:
        """The place of the task under the cursor."""
        return None if self.table.row is None else self.table.row[0]

    def refresh_draft(self) -> None:
        self.table.set_rows(list(enumerate(self.draft.tasks)))
        self.query_one(ParentsTrial).show(self.draft)
        self._show_task()
        self._read_items()

    # the task under the cursor

    @on(RowsTable.Moved, "#task-list")
    def _moved(self) -> None:
        self._item = 0
        self._show_task()
        self._read_items()

    @on(RowsTable.Opened, "#task-list")
    def _edit_task(self) -> None:
        self.query_one("#goal-tabs", TabbedContent).active = "task-pane"
        self.query_one(TaskForm).focus_first()

    def _show_task(self) -> None:
        place = self.chosen
        self.query_one(TaskForm).show(None if place is None else self.draft.tasks[place])
        self._show_item()

    @on(TaskEdited)
    def _take_task(self, event: TaskEdited) -> None:
        if self.chosen is not None:
            self.edit(self.draft.put(event.task, "tasks", self.chosen))
            self.table.set_rows(list(enumerate(self.draft.tasks)))
            self._read_items()

    # its items

    def _preview_key(self, task: Mapping[str, Any]) -> str:
        """What a preview depends on, the state of the task's files among it."""
        folder = self.draft.folder
        return repr((task, self.draft.get("splits"), self.draft.tokenizer, str(folder), _states(task, folder)))

    def _look_again(self) -> None:
        """Reads what was changed on the disk."""
        unread = [task for task in self.draft.tasks if self._preview_key(task) not in self._previews]
        if self.display and unread and not any(worker.group == "items" and worker.is_running for worker in self.workers):
            self._read_items()

    def trouble(self) -> str:
        known = ((task, self._previews.get(self._preview_key(task), "")) for task in self.draft.tasks)
        return next((reason for task, preview in known if (reason := self._trouble_with(task, preview))), "")

    def _trouble_with(self, task: Mapping[str, Any], preview: Mapping[str, Any] | str) -> str:
        if isinstance(preview, str):
            return one_line(preview, 200)
        if preview["total"] is not None and preview["total"] < self._wanted():
            return f"{task_name(task)} has {preview['total']} items, and the splits need {self._wanted():,}: press Fit sizes"
        return ""

    @work(exclusive=True, group="items")
    async def _read_items(self) -> None:
        """Reads the items of every task that isn't known yet, the one under the cursor first."""
        # before the wait: the list may be gone after it, as the screens are closed
        place = self.chosen
        await asyncio.sleep(_WAIT_SECONDS)
        tasks = list(self.draft.tasks)
        first = [] if place is None or place >= len(tasks) else [tasks[place]]
        for task in [*first, *tasks]:
            key = self._preview_key(task)
            if key in self._previews:
                continue
            try:
                self._previews[key] = await self.ask(
                    "preview",
                    task=task,
                    splits=self.draft.get("splits", default={}),
                    folder=str(self.draft.folder),
                    base=self.draft.tokenizer or None,
                )
            except InputError as error:
                self._previews[key] = str(error)
            self._show_item()
            self.table.refresh()
        self._tell_items()

    def _tell_items(self) -> None:
        known = [self._previews.get(self._preview_key(task)) for task in self.draft.tasks]
        read = [preview for preview in known if isinstance(preview, Mapping)]
        tokens = [preview["tokens"] for preview in read if preview["tokens"]]
        totals = [preview["total"] for preview in read if preview["total"] is not None]
        self.post_message(Judged())
        self.post_message(ItemsRead(sum(tokens) / len(tokens) if tokens else None, min(totals, default=None)))

    def _present(self) -> Mapping[str, Any] | str | None:
        place = self.chosen
        return None if place is None else self._previews.get(self._preview_key(self.draft.tasks[place]), "")

    def _show_item(self) -> None:
        head, body = preview_text(self._present(), self._item)
        self.query_one("#preview-head", Static).update(head)
        self.query_one("#preview-text", Static).update(body)
        self.query_one(PictureView).show(preview_pictures(self._present(), self._item))
        total = self._total()
        self.query_one("#fit-sizes").display = total is not None and total < self._wanted()

    def _total(self) -> int | None:
        """Items of the smallest task: the splits are as large for all of them."""
        known = [self._previews.get(self._preview_key(task)) for task in self.draft.tasks]
        totals = [preview["total"] for preview in known if isinstance(preview, Mapping) and preview["total"] is not None]
        return min(totals, default=None)

    def _wanted(self) -> int:
        return sum(self.draft.get("splits", split, default=0) for split in SPLITS)

    # what a person does

    @on(Button.Pressed, "#add")
    @work(exclusive=True, group="add")
    async def action_add(self) -> None:
        task = await self.app.push_screen_wait(AddTask(self.ask))
        if task is not None:
            self.edit(with_task(self.draft, task))
            self.refresh_draft()
            self.table.move_to(len(self.draft.tasks) - 1)
            self.table.focus()

    @on(Button.Pressed, "#remove")
    def action_remove(self) -> None:
        if self.chosen is not None:
            self.edit(without_task(self.draft, self.chosen))
            self.refresh_draft()

    @on(Button.Pressed, "#fit-sizes")
    def action_fit_sizes(self) -> None:
        total = self._total()
        if total is not None:
            sizes = fitted_splits({split: self.draft.get("splits", split, default=0) for split in SPLITS}, total)
            self.edit(self.draft.put({**self.draft.get("splits", default={}), **sizes}, "splits"))
            self.refresh_draft()

    @on(Button.Pressed, "#item-before")
    def _before(self) -> None:
        self.action_item(-1)

    @on(Button.Pressed, "#item-after")
    def _after(self) -> None:
        self.action_item(1)

    def action_item(self, step: int) -> None:
        present = self._present()
        if isinstance(present, Mapping) and present["items"]:
            self._item = (self._item + step) % len(present["items"])
            self._show_item()

    def action_try(self) -> None:
        self.query_one("#goal-tabs", TabbedContent).active = "try-pane"
        self.query_one(ParentsTrial).toggle()


def _states(task: Mapping[str, Any], folder: Path) -> list[tuple[int, int] | None]:
    """When each of a task's files was last written, and its bytes; None for one that can't be read."""
    files = [task.get("file"), task.get("exclude"), *dict(task.get("files") or {}).values()]
    return [_state(folder / written_path(str(file))) for file in files if file]


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def _columns() -> list[Column[tuple[int, Mapping[str, Any]]]]:
    return [
        Column("number", "#", 3, lambda row: (str(row[0] + 1), "muted"), lambda row: row[0], right=True),
        Column("name", "Task", 0, lambda row: (task_name(row[1]), ""), lambda row: task_name(row[1])),
        Column("items", "Items from", 0, _items, lambda row: str(_items(row)[0])),
        Column("scorer", "Scorer", 15, lambda row: (str(row[1].get("scorer") or "ready"), "muted"), _scorer, least_table=72),
        Column("language", "Language", 8, lambda row: (_language(row[1]), "muted"), lambda row: _language(row[1]),
               least_table=56),
        Column("weight", "Weight", 6, lambda row: (f"{_weight(row):g}", ""), _weight, right=True, least_table=48),
    ]  # fmt: skip


def _weight(row: tuple[int, Mapping[str, Any]]) -> float:
    return float(row[1].get("weight", 1))


def _scorer(row: tuple[int, Mapping[str, Any]]) -> str:
    return str(row[1].get("scorer") or "")


def _items(row: tuple[int, Mapping[str, Any]]) -> Cell:
    task = row[1]
    named = task.get("file") or task.get("dataset") or ("three files" if task.get("files") else task.get("task")) or "?"
    return str(named).replace("\\", "/").rpartition("/")[2], "muted"


def _language(task: Mapping[str, Any]) -> str:
    return str(task.get("language") or ("ready" if task.get("task") else "any"))
