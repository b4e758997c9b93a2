"""Archive: the members that a search has bred, who solves what, and whose children they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from evomerge_core.errors import InputError
from evomerge_core.run.report.archive import text_map
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.view.archive import Archive, ArchiveMember, family, read_archive
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.page import Page
from evomerge_tui.text.quantities import percent
from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.panel_tabs import PanelTabs
from evomerge_tui.widgets.rows_table import Column, RowsTable
from evomerge_tui.widgets.top_bar import TopBar

TABS = {"members": "Members", "solved": "Items", "family": "Family", "growth": "Coverage"}
_BAR = 40  # cells of 100 %
_MOST_GENERATIONS = 200


@dataclass
class ArchiveRead(Message):
    """The run's archive; None where no generation has ended yet."""

    archive: Archive | None


class ArchiveScreen(Page):
    """A run's archive as it was when the screen was opened, or read again."""

    CSS_PATH = "archive.tcss"
    SCOPES = ("archive", "table")
    BINDINGS: ClassVar[list[BindingType]] = bindings("archive")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._archive: Archive | None = None

    def body(self) -> Iterable[Widget]:
        yield Static("", id="reached", markup=False)
        yield self.tabs(TABS)
        with Vertical(id="members", classes="tab -shown"):
            yield RowsTable[ArchiveMember](
                _columns(),
                lambda member: member.label,
                sort="score",
                descending=True,
                empty="No generation has ended yet",
                id="member-list",
            )
        for name in ("solved", "family", "growth"):
            with VerticalScroll(id=name, classes="tab"):
                yield Static("", id=f"{name}-text", markup=False)

    def on_mount(self) -> None:
        self.query_one(TopBar).set_title(f"{self.folder.name} › archive")
        self.query_one("#member-list").focus()
        self.action_again()

    def action_again(self) -> None:
        self._read()

    @work(thread=True, exclusive=True, group="archive", exit_on_error=False)
    def _read(self) -> None:
        try:
            with closing(read_store(self.folder)) as store:
                self.post_message(ArchiveRead(read_archive(store)))
        except (InputError, sqlite3.Error, OSError) as error:
            self.app.call_from_thread(self.evomerge.tell, str(error), "error")

    @on(ArchiveRead)
    def _show(self, message: ArchiveRead) -> None:
        archive = self._archive = message.archive
        if archive is None:
            return
        self.query_one("#reached", Static).update(_reached(archive))
        self._table.set_rows(archive.members)
        self._fill("solved", "\n".join(text_map(archive)))
        self._fill("growth", "\n".join(_growth(archive)))
        self._show_family(self._table.row)

    @on(RowsTable.Moved)
    def _moved(self, event: RowsTable.Moved) -> None:
        self._show_family(event.row)

    def _show_family(self, member: ArchiveMember | None) -> None:
        if member is not None and self._archive is not None:
            lines = [f"{'  ' * depth}{label}" for depth, label in family(member.label, self._archive.parents)]
            self._fill("family", "\n".join(lines))

    def _fill(self, name: str, text: str) -> None:
        self.query_one(f"#{name}-text", Static).update(many_lines(text))

    @property
    def _table(self) -> RowsTable[ArchiveMember]:
        return self.query_one("#member-list", RowsTable)

    # what a person does

    def action_tab(self, name: str) -> None:
        for tab in TABS:
            self.query_one(f"#{tab}").set_class(tab == name, "-shown")
        self.query_one(PanelTabs).choose(name)
        (self._table if name == "members" else self.query_one(f"#{name}")).focus()

    @on(PanelTabs.Chosen)
    def _tab_chosen(self, event: PanelTabs.Chosen) -> None:
        self.action_tab(event.name)

    def action_export(self) -> None:
        if self._table.row is not None:
            self.evomerge.open_export(self.folder, self._table.row.label)

    @on(RowsTable.Opened)
    def _open(self, event: RowsTable.Opened) -> None:
        from evomerge_tui.screens.candidate.candidate import CandidateScreen

        order = [member.candidate for member in self._table.rows]
        self.app.push_screen(CandidateScreen(self.folder, event.row.candidate, order))


def _columns() -> list[Column[ArchiveMember]]:
    return [
        Column("label", "Member", 16, lambda row: (row.label, ""), lambda row: row.label),
        Column("score", "Score", 8, lambda row: (percent(row.score), ""), lambda row: row.score, right=True),
        Column("alone", "Alone", 6, lambda row: (str(len(row.alone)), ""), lambda row: len(row.alone), right=True),
        Column("parents", "Parents", 0, lambda row: (" and ".join(row.parents), "muted"), lambda row: row.parents),
        Column("tasks", "By task", 40, lambda row: (_tasks(row), "muted"), _tasks, least_table=100),
    ]


def _tasks(member: ArchiveMember) -> str:
    return "  ".join(f"{task} {percent(share, 0)}" for task, share in member.by_task.items())


def _reached(archive: Archive) -> Content:
    last = archive.coverage[-1]
    together = f"{len(archive.members)} members after generation {last.generation}: {percent(last.archive)} together, "
    lines = [Content(f"{together}{percent(last.best)} the best alone")]
    if archive.team:
        team = one_line(", ".join(archive.team), 200)
        lines.append(Content.assemble(("Smallest team that solves all that anybody solves: ", "$text-muted"), team))
    return Content("\n").join(lines)


def _growth(archive: Archive) -> Iterable[str]:
    """What the archive reaches after each generation, as bars: its best member, and all together."""
    yield f"{'generation':>10}  best member (#) and all together (+)"
    for one in archive.coverage[-_MOST_GENERATIONS:]:
        best, together = round(_BAR * one.best), round(_BAR * one.archive)
        bar = f"{'#' * best}{'+' * (together - best)}"
        yield f"{one.generation:>10}  {bar:<{_BAR}}  {percent(one.best)}, {percent(one.archive)}"
