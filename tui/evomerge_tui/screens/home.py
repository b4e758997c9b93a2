"""Home: the runs there are, this machine, and how to begin."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events, on, work
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static
from textual.worker import get_current_worker

from evomerge_core.errors import InputError
from evomerge_core.run.store.live_states import LIVE
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.messages import MachineRead, RunsRead
from evomerge_tui.screens.page import SLIM
from evomerge_tui.screens.run_actions import RunActions
from evomerge_tui.text.quantities import amount, duration, gain, percent
from evomerge_tui.text.run_states import shown_state
from evomerge_tui.text.shown_text import one_line, short_path
from evomerge_tui.user.settings import Settings
from evomerge_tui.widgets.rows_table import Cell, Column, RowsTable
from evomerge_tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from evomerge_core.run.view.overview import RunOverview
    from evomerge_recipes.catalogue import ReadyRecipe
    from evomerge_tui.machine.machine import Machine

_LOOK_SECONDS = 2.0
_ON_A_RUN = ("duplicate", "delete", "copy", "compare", "report", "publish", "recipe")
# The recipes that a command prepares and starts, and its words.
_QUICKSTARTS = {"quickstart": (), "quickstart-vlm": ("--vlm",)}


class HomeScreen(RunActions):
    """The list of runs; empty, it offers the quickstart."""

    TITLE = ""
    # what is there to focus is known when the runs are
    AUTO_FOCUS = ""
    SCOPES = ("home", "table")
    BINDINGS: ClassVar[list[BindingType]] = bindings("home")

    def body(self) -> Iterable[Widget]:
        with Vertical(id="runs"):
            yield Static("Runs", classes="title", markup=False)
            runs: RowsTable[RunOverview] = RowsTable(_columns(), lambda run: str(run.folder), sort="state", id="run-list")
            yield runs
        with Vertical(id="welcome"):
            yield Static("", id="welcome-text", markup=False)
            with Horizontal(id="welcome-choices"):
                yield Button(
                    "Quickstart", id="quickstart", variant="primary", tooltip="The paper in miniature: minutes, no GPU"
                )
                yield Button("New run", id="new-run", tooltip="Choose models, a goal and a budget")
        with Vertical(id="recipes"):
            yield Static("Ready recipes", classes="title", markup=False)
            recipes: RowsTable[ReadyRecipe] = RowsTable(
                _recipe_columns(), lambda recipe: recipe.name, sort="memory", id="recipe-list"
            )
            yield recipes
        yield Static("", id="attach", markup=False)
        yield Static("", id="machine", markup=False)

    def on_mount(self) -> None:
        self.add_class("-unknown")
        self._look()
        self._list_recipes()

    def on_resize(self, event: events.Resize) -> None:
        self.query_one("#welcome-text", Static).update(_welcome(event.size.width))

    @work(thread=True, exclusive=True, group="recipes", exit_on_error=False)
    def _list_recipes(self) -> None:
        from evomerge_recipes.catalogue import ready_recipes

        table = self.query_one("#recipe-list", RowsTable)
        self.app.call_from_thread(table.set_rows, ready_recipes())

    @work(thread=True, exclusive=True, group="home", exit_on_error=False)
    def _look(self) -> None:
        """Reads runs and machine again and again; the list shows what it last read."""
        from evomerge_core.run.run_folder.known_runs import known_runs, require_list
        from evomerge_core.run.view.overview import read_overview

        worker, app = get_current_worker(), self.evomerge
        try:
            require_list()
        except InputError as error:
            self.app.call_from_thread(app.tell, str(error), "error")
        while not worker.is_cancelled:
            if self.is_current or self.has_class("-unknown"):
                places = (app.folder, app.runs_folder)
                runs = tuple(read_overview(folder) for folder in known_runs(*places))
                self.post_message(RunsRead(runs))
                self.post_message(MachineRead(app.sense(app.folder)))
            _wait(_LOOK_SECONDS, worker)

    @on(RunsRead)
    def _show_runs(self, message: RunsRead) -> None:
        first, was_empty = self.has_class("-unknown"), self.has_class("-empty")
        self.remove_class("-unknown")
        self.set_class(not message.runs, "-empty")
        table = self._table
        table.set_rows(message.runs)
        for run in message.runs:
            self.evomerge.note_state(run.folder, run.name, run.state)
        if first and not message.runs:
            self.evomerge.no_runs()
        if first or was_empty == bool(message.runs):
            self.refresh_bindings()
            self.set_focus(table if message.runs else self.query_one("#quickstart"))
        live = [run for run in message.runs if run.state in LIVE]
        self.query_one("#attach", Static).update(_attach(live, self.evomerge.with_keys("{table.open}")))
        self.set_class(bool(live), "-live")
        standing = f"{len(message.runs)} runs" if len(message.runs) != 1 else "1 run"
        self.query_one(TopBar).set_standing(Text(standing if message.runs else ""))

    @on(MachineRead)
    def _show_machine(self, message: MachineRead) -> None:
        self.query_one("#machine", Static).update(machine_line(message.machine))

    @property
    def _table(self) -> RowsTable[RunOverview]:
        return self.query_one("#run-list", RowsTable)

    @on(RowsTable.Opened, "#recipe-list")
    def _open_recipe(self, event: RowsTable.Opened) -> None:
        if event.row.name in _QUICKSTARTS:
            self._quickstart(event.row.name)
        else:
            self.evomerge.open_new_run(event.row.path)

    @on(RowsTable.Opened, "#run-list")
    def _open(self, event: RowsTable.Opened) -> None:
        if event.row.state == "unreadable":
            self.evomerge.tell(str(event.row.message), "error")
        else:
            self.evomerge.open_run(event.row.folder, ship=event.row.name in _QUICKSTARTS)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action not in _ON_A_RUN or not (self.has_class("-empty") or self.has_class("-unknown"))

    @on(Button.Pressed, "#new-run")
    def action_new_run(self) -> None:
        self.evomerge.open_new_run()

    @on(Button.Pressed, "#quickstart")
    def action_quickstart(self) -> None:
        self._quickstart("quickstart")

    def _quickstart(self, name: str) -> None:
        from evomerge_tui.screens.dialogs.starting import Starting

        own = self.evomerge.settings.runs_folder != Settings().runs_folder
        folder = _free((self.evomerge.runs_folder if own else self.evomerge.folder) / name)
        self.app.push_screen(Starting(name, folder, ("quickstart", *_QUICKSTARTS[name])), self._started)

    def _started(self, folder: Path | None) -> None:
        if folder is not None:
            self.evomerge.open_run(folder, ship=True)

    def action_duplicate(self) -> None:
        if (run := self._table.row) is not None:
            self.evomerge.open_new_run(run.folder / "recipe.yaml")

    def chosen_run(self) -> Path | None:
        return None if (run := self._table.row) is None else run.folder

    def action_compare(self) -> None:
        if (folder := self.chosen_run()) is not None:
            self.evomerge.open_comparison((folder,))

    def action_copy(self) -> None:
        if (run := self._table.row) is not None:
            self.evomerge.copy_text(str(run.folder), "path")

    def action_delete(self) -> None:
        if (run := self._table.row) is not None:
            self._ask_and_delete(run)

    @work(exclusive=True, group="delete")
    async def _ask_and_delete(self, run: RunOverview) -> None:
        from evomerge_tui.screens.dialogs.confirm import Confirm

        what = f"{run.folder}\n{amount(run.size)}, {run.evaluations} candidates. This can't be undone."
        if await self.app.push_screen_wait(Confirm(f"Delete the run {one_line(run.name, 60)}?", what, "Delete")):
            self._delete(run.folder)

    @work(thread=True, group="delete", exit_on_error=False)
    def _delete(self, folder: Path) -> None:
        from evomerge_core.run.run_folder.delete import delete_run
        from evomerge_core.run.run_folder.known_runs import forget

        try:
            delete_run(folder)
            forget(folder)
        except InputError as error:
            self.app.call_from_thread(self.evomerge.tell, str(error), "error")
            return
        self.app.call_from_thread(self._look)


def _wait(seconds: float, worker: object) -> None:
    """Sleeps in small steps, so that leaving takes no time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not getattr(worker, "is_cancelled", False):
        time.sleep(0.05)


def _free(folder: Path) -> Path:
    """The folder, or the first of `folder-2`, `folder-3`, ... that there isn't."""
    number = 2
    free = folder
    while free.exists():
        free = folder.with_name(f"{folder.name}-{number}")
        number += 1
    return free


def _columns() -> list[Column[RunOverview]]:
    return [
        Column("state", "State", 13, _state, lambda run: (run.state not in LIVE, -run.changed)),
        Column("name", "Run", 0, lambda run: (run.name, ""), lambda run: run.name.casefold()),
        Column("best", "Best", 7, lambda run: (percent(run.best), "best"), lambda run: run.best, right=True),
        Column("parent", "Parent", 7, lambda run: (percent(run.parent), "muted"), lambda run: run.parent, right=True,
               least_table=58),
        Column("gain", "Gain", 6, _gain, lambda run: run.gain, right=True, least_table=50),
        Column("on", "On", 6, _split, lambda run: run.split, least_table=72),
        Column("done", "Searched", 10, _done, lambda run: run.evaluations, right=True, least_table=90),
        Column("age", "Last activity", 15, _age, lambda run: -run.changed, right=True, least_table=70),
        Column("size", "Size", 7, lambda run: (amount(run.size), "muted"), lambda run: run.size, right=True, least_table=90),
        Column("folder", "Folder", 0, _folder, lambda run: str(run.folder), least_table=130),
    ]  # fmt: skip


def _recipe_columns() -> list[Column[ReadyRecipe]]:
    return [
        Column("name", "Recipe", 26, lambda recipe: (recipe.name, ""), lambda recipe: recipe.name),
        Column("memory", "VRAM", 7, _memory, _recipe_order, right=True),
        Column("title", "Crosses", 0, lambda recipe: (recipe.title, "muted"), lambda recipe: recipe.title, least_table=56),
    ]


def _recipe_order(recipe: ReadyRecipe) -> tuple[bool, int, str]:
    return recipe.name != "quickstart", recipe.memory, recipe.name


def _memory(recipe: ReadyRecipe) -> Cell:
    return (f"{recipe.memory} GB" if recipe.memory else "no GPU"), "muted"


def _state(run: RunOverview) -> Cell:
    sign, word, tone = shown_state(run.state)
    return f"{sign} {word}", tone


def _gain(run: RunOverview) -> Cell:
    return gain(run.gain), "good" if run.gain and run.gain > 0 else "muted"


def _split(run: RunOverview) -> Cell:
    return (run.split if run.best is not None else ""), "muted"


def _done(run: RunOverview) -> Cell:
    return str(run.evaluations) if run.evaluations_total is None else f"{run.evaluations}/{run.evaluations_total}", "muted"


def _age(run: RunOverview) -> Cell:
    return (duration(max(0.0, time.time() - run.changed)) if run.changed else ""), "muted"


def _folder(run: RunOverview) -> Cell:
    return short_path(run.folder), "muted"


def _attach(live: list[RunOverview], key: str) -> Text:
    if not live:
        return Text()
    names = ", ".join(one_line(run.name, 40) for run in live[:3])
    verb = "is" if len(live) == 1 else "are"
    return Text(f"● {names} {verb} running: press {key} to watch")


def _welcome(width: int) -> Text:
    """In lines of about the same length, or as they break in a narrow terminal."""
    end = "\n" if width >= SLIM else " "
    return Text.assemble(
        ("Breed language models.\n", "bold"),
        f"Pick models that share an architecture, say what the child must be good at,{end}",
        "and let evolution find out how to mix their weights.\n\n",
        f"The quickstart crosses arithmetic with Japanese on a small model: about ten{end}",
        "minutes on a laptop, no GPU, no account. Then you can chat with the child.",
    )


def machine_line(machine: Machine) -> Text:
    """The machine in a line."""
    gpus = ", ".join(
        f"{one_line(gpu.name, 40)} {amount(gpu.total - gpu.used)} of {amount(gpu.total)} VRAM free" for gpu in machine.gpus
    )
    parts = [
        gpus or "no GPU",
        f"{machine.cores} cores",
        f"{amount(machine.ram_total - machine.ram_used)} of {amount(machine.ram_total)} RAM free",
        f"{amount(machine.disk_free)} disk free",
        machine.compiler or "no C++ compiler",
    ]
    return Text(" · ".join(parts))
