"""Which task to add: a ready one, or a file of one's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.rows import FORMATS
from evomerge_core.tasks.ready import READY
from evomerge_tui.screens.page import Dialog
from evomerge_tui.text.shown_text import one_line

_FILE = "file:"
_MOST_FILES = 30
# What a model's or run's folder holds besides.
_NO_ITEMS = frozenset({"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "sources.json"})


class AddTask(Dialog[dict[str, Any] | None]):
    """The task's entry for the recipe; None when nothing was chosen. `ask` asks the planner."""

    def __init__(self, ask: Callable[..., Awaitable[Any]]) -> None:
        super().__init__()
        self._ask = ask

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static("Add a task", classes="question", markup=False)
            yield OptionList(
                *(Option(one_line(path.name), id=f"{_FILE}{path}") for path in item_files(self.evomerge.folder)),
                *(Option(_title(name), id=name) for name in READY),
                id="ready-tasks",
                markup=False,
            )
            yield Static("Or a file of your own: JSONL, JSON, CSV, TSV or Parquet", classes="detail", markup=False)
            yield Input(placeholder="Path to the file", id="own-file")
            yield Static("", id="own-trouble", markup=False)
            with Horizontal(classes="choices"):
                yield Button("Cancel", id="cancel")
                yield Button("Add", id="add-chosen", variant="primary")

    def on_mount(self) -> None:
        self.query_one("#ready-tasks").focus()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self._take(str(event.option.id))

    def _take(self, chosen: str) -> None:
        if chosen.startswith(_FILE):
            self._suggest(Path(chosen.removeprefix(_FILE)))
        else:
            self.dismiss({"task": chosen, "name": chosen})

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#add-chosen")
    @on(Input.Submitted, "#own-file")
    def _add(self) -> None:
        tasks = self.query_one("#ready-tasks", OptionList)
        given = self.query_one("#own-file", Input).value.strip()
        if given:
            self._suggest(Path(given).expanduser().absolute())
        elif tasks.highlighted is not None:
            self._take(str(tasks.get_option_at_index(tasks.highlighted).id))

    @work(exclusive=True)
    async def _suggest(self, path: Path) -> None:
        """Looks at a file and makes an entry of it."""
        trouble = self.query_one("#own-trouble", Static)
        trouble.update("Reading it …")
        try:
            self.dismiss(await self._ask("suggest", path=str(path)))
        except InputError as error:
            trouble.update(one_line(str(error)))


def item_files(folder: Path) -> list[Path]:
    """Files in a folder that may hold a task's items, a few."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in FORMATS and path.is_file())
    except OSError:
        return []
    return [path for path in found if path.name not in _NO_ITEMS][:_MOST_FILES]


def _title(name: str) -> str:
    task = READY[name]
    language = f", answers in {task.language}" if task.language else ""
    return f"{name}  ({task.dataset}{language})"
