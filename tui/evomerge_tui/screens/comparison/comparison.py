"""Compare runs: settings that differ, searches, verdicts, and whose winner is better on the items of both tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
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
from evomerge_core.run.comparison import ComparedRun, Comparison, compare_runs
from evomerge_core.run.view.overview import RunOverview, read_overview
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.lines_plot import COLOURS, LinesPlot, PlotLine
from evomerge_tui.screens.page import Page
from evomerge_tui.text.comparison_words import bars, pairs, run_name, verdict_rows
from evomerge_tui.text.quantities import percent
from evomerge_tui.text.run_states import shown_state
from evomerge_tui.text.shown_text import one_line, short_path
from evomerge_tui.widgets.panel_tabs import PanelTabs
from evomerge_tui.widgets.rows_table import Column, RowsTable
from evomerge_tui.widgets.top_bar import TopBar

TABS = {"choice": "Runs", "verdicts": "Verdicts", "curves": "Curves", "settings": "Settings"}
# On a line and in the legend: a run's number, or a letter where a number is longer than a cell.
_SIGNS = "123456789abcdefghijklmnopqrstuvwxyz"
# Cells at the left and the right of a tab's content.
_MARGIN = 4


@dataclass
class Compared(Message):
    """The comparison of the runs that were chosen when it began, or why there is none."""

    chosen: tuple[Path, ...]
    comparison: Comparison | None
    problem: str = ""


@dataclass
class RunsFound(Message):
    """All known runs that can be read."""

    runs: tuple[RunOverview, ...]


class ComparisonScreen(Page):
    """`folders` are chosen at the start; others are added and left out in the list."""

    CSS_PATH = "comparison.tcss"
    SCOPES = ("comparison", "table", "plot")
    BINDINGS: ClassVar[list[BindingType]] = bindings("comparison")

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__()
        self._chosen = [folder.absolute() for folder in folders]
        self._found: Comparison | None = None

    def body(self) -> Iterable[Widget]:
        yield self.tabs(TABS)
        with Vertical(id="choice", classes="tab -shown"):
            yield RowsTable[RunOverview](
                self._columns(), lambda run: str(run.folder), sort="name", opens="Compare", empty="No runs here", id="run-list"
            )
        with VerticalScroll(id="verdicts", classes="tab"):
            yield Static("", id="verdict-text", markup=False)
        with Vertical(id="curves", classes="tab"):
            yield LinesPlot(id="curve-plot")
            yield Static("", id="curve-text", markup=False)
        with VerticalScroll(id="settings", classes="tab"):
            yield Static("", id="setting-text", markup=False)

    def on_mount(self) -> None:
        self.query_one(TopBar).set_title("compare runs")
        self.query_one("#run-list").focus()
        self._find()
        self._compare()

    def _columns(self) -> list[Column[RunOverview]]:
        def mark(run: RunOverview) -> tuple[str, str]:
            chosen = run.folder.absolute() in self._chosen
            return (f"● {self._chosen.index(run.folder.absolute()) + 1}" if chosen else "○"), "best" if chosen else "muted"

        return [
            Column("chosen", "", 4, mark, lambda run: run.folder.absolute() not in self._chosen),
            Column("name", "Run", 0, lambda run: (one_line(run.name, 60), ""), lambda run: run.name.casefold()),
            Column("state", "State", 13, lambda run: (shown_state(run.state)[1], "muted"), lambda run: run.state),
            Column("best", "Best", 8, lambda run: (percent(run.best), ""), lambda run: run.best, right=True),
            Column(
                "folder",
                "Folder",
                0,
                lambda run: (short_path(run.folder), "muted"),
                lambda run: str(run.folder),
                least_table=100,
            ),
        ]

    @work(thread=True, exclusive=True, group="find", exit_on_error=False)
    def _find(self) -> None:
        from evomerge_core.run.run_folder.known_runs import known_runs

        places = (self.evomerge.folder, self.evomerge.runs_folder)
        folders = dict.fromkeys((*self._chosen, *(folder.absolute() for folder in known_runs(*places))))
        runs = [read_overview(folder) for folder in folders]
        self.post_message(RunsFound(tuple(run for run in runs if run.state != "unreadable")))

    @on(RunsFound)
    def _show_runs(self, message: RunsFound) -> None:
        self.query_one("#run-list", RowsTable).set_rows(message.runs)

    @on(RowsTable.Opened)
    def _choose(self, event: RowsTable.Opened) -> None:
        folder = event.row.folder.absolute()
        if folder in self._chosen:
            self._chosen.remove(folder)
        else:
            self._chosen.append(folder)
        self.query_one("#run-list", RowsTable).refresh()
        self._compare()

    def _compare(self) -> None:
        if len(self._chosen) > 1:
            self.query_one(TopBar).set_standing(Content.styled("comparing ...", "$text-muted"))
        self._read_chosen(tuple(self._chosen))

    @work(thread=True, exclusive=True, group="compare", exit_on_error=False)
    def _read_chosen(self, chosen: tuple[Path, ...]) -> None:
        if len(chosen) < 2:
            self.post_message(Compared(chosen, None))
            return
        try:
            self.post_message(Compared(chosen, compare_runs(chosen)))
        except (InputError, sqlite3.Error, OSError) as error:
            self.post_message(Compared(chosen, None, str(error)))

    @on(Compared)
    def _show(self, message: Compared) -> None:
        if message.chosen != tuple(self._chosen):
            # another was chosen meanwhile, and its comparison may have ended first
            return
        found = message.comparison
        if message.problem:
            self.evomerge.tell(message.problem, "error")
        told = self.evomerge.with_keys("choose two runs or more ({table.open})") if found is None else f"{len(found.runs)} runs"
        self.query_one(TopBar).set_standing(Content(told))
        self.query_one("#verdict-text", Static).update("" if found is None else Content("\n").join(_verdicts(found)))
        self.query_one("#setting-text", Static).update("" if found is None else Content("\n").join(_settings(found)))
        self._found = found
        self._show_legend()
        runs = () if found is None else found.runs
        self.query_one(LinesPlot).show([_line(place, run, runs) for place, run in enumerate(runs) if run.curve], *_limits(runs))

    def on_resize(self) -> None:
        self._show_legend()

    def _show_legend(self) -> None:
        found, width = self._found, self.size.width - _MARGIN
        self.query_one("#curve-text", Static).update("" if found is None else Content("\n").join(_legend(found, width)))

    def action_tab(self, name: str) -> None:
        for tab in TABS:
            self.query_one(f"#{tab}").set_class(tab == name, "-shown")
        self.query_one(PanelTabs).choose(name)
        self.query_one({"choice": "#run-list", "curves": "#curve-plot"}.get(name, f"#{name}")).focus()

    @on(PanelTabs.Chosen)
    def _tab_chosen(self, event: PanelTabs.Chosen) -> None:
        self.action_tab(event.name)


def _verdicts(found: Comparison) -> Iterable[Content]:
    for run, row in zip(found.runs, verdict_rows(found), strict=True):
        number, name, state, candidates, minutes, winner, test, interval = row
        yield Content.assemble((f"{number} {name}", "bold"), (f"  {state}", "$text-muted"))
        yield Content(f"  {candidates} candidates in {minutes} min, searched in {run.precision}")
        if test:
            yield Content(f"  winner {winner}: {test}{' items' if run.items else ''}, {interval}")
        if run.conclusion:
            yield Content(f"  {one_line(run.conclusion)}")
        yield Content("")
    yield from map(Content, pairs(found))


def _settings(found: Comparison) -> Iterable[Content]:
    if not found.settings:
        yield Content("The recipes say the same.")
    for setting in found.settings:
        yield Content.styled(one_line(setting.key, 100), "bold")
        for place, value in enumerate(setting.values):
            shown = "-" if value is None else one_line(value, 200)
            yield Content.assemble((f"  {place + 1} ", "$text-muted"), shown)


def _legend(found: Comparison, width: int) -> Iterable[Content]:
    yield from map(Content, bars(found, width))
    yield Content.assemble(
        *((f"─{_sign(place)}─ {_named(found, place)}  ", f"${_colour(place)}") for place in range(len(found.runs))),
        ("what is known of the best so far, in %, by candidates searched", "$text-muted"),
    )


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _sign(place: int) -> str:
    return _SIGNS[place % len(_SIGNS)]


def _named(found: Comparison, place: int) -> str:
    """Its name, with its number where that isn't its sign."""
    return run_name(found, place).removeprefix(f"{_sign(place)} ")


def _line(place: int, run: ComparedRun, runs: Sequence[ComparedRun]) -> PlotLine:
    """Steps up to where another became the best, and on to the search's end. Its sign has a place across of its own, which no
    line on the same height shares."""
    x, y = [], []
    for (number, value), until in zip(run.curve, (*(at for at, _ in run.curve[1:]), run.evaluations), strict=True):
        x += [float(number), float(until)]
        y += [100 * value, 100 * value]
    longest = max(one.evaluations for one in runs)
    at = min(max(x[0], longest * (place + 0.5) / len(runs)), x[-1])
    height = next(value for value, until in zip(y[1::2], x[1::2], strict=True) if at <= until)
    return PlotLine(x, y, _colour(place), (_sign(place), at, height))


def _limits(runs: Sequence[ComparedRun]) -> tuple[tuple[float, float], tuple[float, float]]:
    values = [100 * value for run in runs for _, value in run.curve] or [0.0, 100.0]
    most = max((run.evaluations for run in runs), default=0)
    return (1.0, float(max(2, most))), (max(0.0, min(values) - 5), min(100.0, max(values) + 5))
