"""What mattered: which numbers of the genome went along with the score, and the best candidates' numbers side by side."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from evomerge_core.errors import InputError
from evomerge_core.run.report.content import Report, ScoredCandidate, read_report
from evomerge_core.run.report.importance import NumberImportance
from evomerge_core.run.report.mattered import direction, how_it_was_found
from evomerge_core.run.report.parallel import drawn_candidates, drawn_numbers, share
from evomerge_core.run.view.sound_records import sound_records
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.lines_plot import LinesPlot, PlotLine
from evomerge_tui.screens.page import Page
from evomerge_tui.text.shown_text import one_line
from evomerge_tui.widgets.panel_tabs import PanelTabs
from evomerge_tui.widgets.rows_table import Column, RowsTable
from evomerge_tui.widgets.top_bar import TopBar

TABS = {"numbers": "Numbers", "lines": "Side by side"}
# The best ones in one colour, the others in another: more lines than this hide each other in a terminal.
_BEST, _OTHERS = 8, 32
_HALF = 10


@dataclass
class ReportRead(Message):
    """The run's report."""

    report: Report


@dataclass
class Unread(Message):
    """Why there is no report."""

    problem: str


class MatteredScreen(Page):
    """A run's numbers as they were when the screen was opened."""

    CSS_PATH = "mattered.tcss"
    SCOPES = ("mattered", "table", "plot")
    BINDINGS: ClassVar[list[BindingType]] = bindings("mattered")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def body(self) -> Iterable[Widget]:
        yield self.tabs(TABS)
        with Vertical(id="numbers", classes="tab -shown"):
            yield RowsTable[NumberImportance](
                _columns(),
                lambda one: one.name,
                sort="correlation",
                descending=True,
                opens=None,
                empty="Reading …",
                id="number-list",
            )
            yield Static("", id="how", markup=False)
        with Vertical(id="lines", classes="tab"):
            yield LinesPlot(id="line-plot")
            yield Static("", id="axes", markup=False)

    def on_mount(self) -> None:
        self.query_one(TopBar).set_title(f"{self.folder.name} › what mattered")
        self.query_one("#number-list").focus()
        self._read()

    @work(thread=True, exclusive=True, group="mattered", exit_on_error=False)
    def _read(self) -> None:
        try:
            with sound_records(self.folder):
                report = read_report(self.folder)
            self.post_message(ReportRead(report))
        except (InputError, sqlite3.Error, OSError) as error:
            self.post_message(Unread(str(error)))

    @on(Unread)
    def _tell(self, message: Unread) -> None:
        self.query_one("#number-list", RowsTable).set_empty("Nothing to show.")
        self.evomerge.tell(message.problem, "error")

    @on(ReportRead)
    def _show(self, message: ReportRead) -> None:
        report = message.report
        if report.mattered is None:
            why = "a path has no numbers" if not report.dimensions else "too few candidates so far to say what mattered"
            self.query_one("#number-list", RowsTable).set_empty(f"Nothing to show: {why}.")
            return
        self.query_one("#number-list", RowsTable).set_rows(report.mattered.numbers)
        self.query_one("#how", Static).update(how_it_was_found(report.mattered))
        axes, candidates = drawn_numbers(report), drawn_candidates(report)[-_BEST - _OTHERS :]
        lines = [_line(report, axes, one, best=place >= len(candidates) - _BEST) for place, one in enumerate(candidates)]
        self.query_one(LinesPlot).show(lines, (1.0, float(max(2, len(axes)))), (0.0, 100.0))
        names = "  ".join(f"{number} {one_line(report.dimensions[place][0], 60)}" for number, place in enumerate(axes, 1))
        told = f"The {min(_BEST, len(candidates))} best candidates in bright lines; 0 to 100 is each number's range. {names}"
        self.query_one("#axes", Static).update(told)

    def action_tab(self, name: str) -> None:
        for tab in TABS:
            self.query_one(f"#{tab}").set_class(tab == name, "-shown")
        self.query_one(PanelTabs).choose(name)
        self.query_one("#number-list" if name == "numbers" else "#line-plot").focus()

    @on(PanelTabs.Chosen)
    def _tab_chosen(self, event: PanelTabs.Chosen) -> None:
        self.action_tab(event.name)


def _line(report: Report, axes: list[int], one: ScoredCandidate, *, best: bool) -> PlotLine:
    values = [100 * share(report, place, (one.genome or ())[place]) for place in axes]
    return PlotLine([float(number) for number in range(1, len(axes) + 1)], values, "accent" if best else "text-muted")


def _columns() -> list[Column[NumberImportance]]:
    return [
        Column("name", "Number", 0, lambda one: (one_line(one.name, 80), ""), lambda one: one.name),
        Column(
            "correlation",
            "Score",
            7,
            lambda one: (f"{one.correlation:+.2f}", "best" if one.clear else "muted"),
            lambda one: (one.clear, abs(one.correlation)),
            right=True,
        ),
        Column("interval", "95 %", 16, lambda one: (f"{one.low:+.2f} to {one.high:+.2f}", "muted"), lambda one: one.low),
        Column("bar", "", 2 * _HALF + 1, lambda one: (_bar(one.correlation), ""), lambda one: one.correlation, least_table=112),
        Column("told", "", 14, lambda one: (direction(one), "muted"), direction),
    ]


def _bar(correlation: float) -> str:
    """From the middle to the left for less, to the right for more."""
    cells = round(abs(correlation) * _HALF)
    left, right = (cells, 0) if correlation < 0 else (0, cells)
    return f"{' ' * (_HALF - left)}{'█' * left}│{'█' * right}{' ' * (_HALF - right)}"
