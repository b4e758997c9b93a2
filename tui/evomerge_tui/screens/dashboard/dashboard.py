"""Dashboard: one run while it is running, or after it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.commands import append_command
from evomerge_core.run.store.live_states import LIVE
from evomerge_core.run.store.records import Outcome
from evomerge_core.run.view.workers import workers_of
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.dashboard.candidate_columns import candidate_columns, candidate_text
from evomerge_tui.screens.dashboard.event_lines import event_line
from evomerge_tui.screens.dashboard.event_log import EventLog
from evomerge_tui.screens.dashboard.fitness_plot import FitnessPlot
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.screens.dashboard.meters import Meters
from evomerge_tui.screens.dashboard.run_standing import fitness_title, legend, standing, summary, verdict
from evomerge_tui.screens.dashboard.watched_run import Best, Seen, WatchedRun
from evomerge_tui.screens.messages import MachineRead, ReadingFailed
from evomerge_tui.screens.run_actions import RunActions
from evomerge_tui.text.shown_text import one_line
from evomerge_tui.text.worker_lines import worker_lines
from evomerge_tui.widgets.genome_map import GenomeMap
from evomerge_tui.widgets.panel_tabs import PanelTabs
from evomerge_tui.widgets.rows_table import RowsTable
from evomerge_tui.widgets.top_bar import TopBar

_LOOK_SECONDS = 0.5
_MACHINE_SECONDS = 2.0
_LOG_LINES = 2000
PANELS = {"fitness": "Fitness", "candidates": "Candidates", "best": "Best", "log": "Log"}


@dataclass
class RunSeen(Message):
    """What is new in the run that the dashboard watches."""

    seen: Seen


class DashboardScreen(RunActions):
    """Reads the run's store in a thread, and appends commands to it; the job is another process."""

    CSS_PATH = "dashboard.tcss"
    SCOPES = ("dashboard", "table", "plot")
    BINDINGS: ClassVar[list[BindingType]] = bindings("dashboard")

    def __init__(self, folder: Path, *, ship: bool = False) -> None:
        super().__init__()
        self.folder = folder
        self._ship = ship
        self.history = History()
        self.state = ""
        self._has_archive = self._waits_for_votes = False
        self._seen: RunSeen | None = None
        self._plot_is_old = True
        self._best: Best | None = None
        self._failure = ""
        self._is_to_ship = False

    def body(self) -> Iterable[Widget]:
        yield self.tabs(PANELS)
        yield Static("", id="verdict", markup=False)
        with Container(id="panels"):
            with Vertical(id="fitness", classes="panel -shown"):
                yield Static("", id="legend", markup=False)
                yield FitnessPlot(id="plot", allow_pan_and_zoom=True)
            with VerticalScroll(id="best", classes="panel", can_focus=False):
                yield Static("", id="summary", markup=False)
                yield GenomeMap(id="genome")
            with Vertical(id="candidates", classes="panel"):
                yield Input(placeholder="Show only rows that contain …", id="filter")
                yield RowsTable[Outcome](
                    candidate_columns(self.history),
                    lambda outcome: outcome.number,
                    sort="score",
                    descending=True,
                    text=candidate_text,
                    empty="No candidates scored yet",
                    id="candidate-list",
                )
            with Vertical(id="log", classes="panel"):
                yield Meters(id="meters")
                yield Static("", id="workers", markup=False)
                yield EventLog(id="events", max_lines=_LOG_LINES, highlight=False)

    def on_mount(self) -> None:
        self.query_one(TopBar).set_title(self.folder.name)
        for name, title in PANELS.items():
            self.query_one(f"#{name}").border_title = title
        self.query_one("#filter").display = False
        self.call_after_refresh(self._focus_what_is_seen)
        self.set_interval(1.0, self._tick)
        self._watch_run()
        self._watch_machine()

    def _focus_what_is_seen(self) -> None:
        (self._table if self._table.region else self.query_one(FitnessPlot)).focus()

    # what the threads say

    @work(thread=True, exclusive=True, group="run", exit_on_error=False)
    def _watch_run(self) -> None:
        worker = get_current_worker()
        try:
            with WatchedRun(self.folder) as run:
                while not worker.is_cancelled:
                    try:
                        self.post_message(RunSeen(run.look()))
                    except (sqlite3.Error, OSError) as error:
                        self.post_message(ReadingFailed(str(error)))
                    _pause(_LOOK_SECONDS, lambda: worker.is_cancelled)
        except (InputError, sqlite3.Error, OSError) as error:
            self.post_message(ReadingFailed(str(error)))

    @work(thread=True, exclusive=True, group="machine", exit_on_error=False)
    def _watch_machine(self) -> None:
        worker = get_current_worker()
        while not worker.is_cancelled:
            self.post_message(MachineRead(self.evomerge.sense(self.folder)))
            _pause(_MACHINE_SECONDS, lambda: worker.is_cancelled)

    @on(RunSeen)
    def _show(self, message: RunSeen) -> None:
        at_once = self._seen is None or message.seen.news.state != self.state
        seen, self._seen, self._failure, before = message.seen, message, "", self.state
        news = seen.news
        self.evomerge.note_state(self.folder, self.folder.name, news.state)
        self._best = seen.best or self._best
        can = news.state, bool(news.facts.archives), news.facts.poll is not None
        if can != (self.state, self._has_archive, self._waits_for_votes):
            self.state, self._has_archive, self._waits_for_votes = can
            self.refresh_bindings()
        known = (self.history.winner, self.history.population, dict(self.history.done))
        self.history.winner = news.facts.winner
        added = self.history.add(news.outcomes, news.facts)
        if known != (self.history.winner, self.history.population, self.history.done):
            # what is known of the others has changed too
            self._table.set_rows(self.history.all)
        elif added:
            self._table.add_rows(added)
        self._plot_is_old = self._plot_is_old or bool(news.outcomes)
        self.history.labels.update(news.labels)
        if news.events:
            self.history.last_event = news.events[-1].at
            self.query_one("#events", EventLog).write_lines(event_line(event, self.history.labels) for event in news.events)
        if seen.best is not None:
            self.query_one(GenomeMap).show(seen.best.candidate.genome or (), news.facts.dimensions)
        self.query_one("#fitness").border_title = fitness_title(news.facts)
        self.query_one("#summary", Static).update(summary(self.history, self._best, news.facts, seen.result))
        if seen.result is not None and not self.has_class("-judged"):
            self.query_one("#verdict", Static).update(verdict(seen.result))
            self.query_one("#best").border_title = "Winner"
            if (path := seen.result["winner"].get("path")) is not None:
                self.query_one(GenomeMap).show_path(path["text"])
            self.add_class("-judged")
        if at_once:
            self._tick()
        if before in LIVE and self.state == "finished":
            self._is_to_ship = self._ship
            self._ship_what_is_ready()

    def on_screen_resume(self) -> None:
        self._ship_what_is_ready()

    def _ship_what_is_ready(self) -> None:
        """A quickstart ends with its files and a chat, as on the command line; once, and over no other screen."""
        if self._is_to_ship and self.is_current:
            self._is_to_ship = False
            self.evomerge.open_export(self.folder, at_once=True)

    def _show_workers(self) -> None:
        """What each worker does, while the run has any at work."""
        news = None if self._seen is None else self._seen.seen.news
        seen = workers_of(news.facts) if news is not None and news.state in LIVE else []
        workers = self.query_one("#workers", Static)
        workers.display = bool(seen)
        workers.update("\n".join(worker_lines(seen, time.time())))

    @on(ReadingFailed)
    def _show_failure(self, message: ReadingFailed) -> None:
        if message.reason != self._failure:
            self._failure = message.reason
            self.evomerge.tell(message.reason, "error")

    @on(MachineRead)
    def _show_machine(self, message: MachineRead) -> None:
        self.query_one(Meters).show(message.machine)

    def _tick(self) -> None:
        """What changes with the clock, and what takes too long to be drawn for every candidate."""
        if self._seen is not None:
            if self._plot_is_old:
                self._plot_is_old = False
                self.query_one(FitnessPlot).show(self.history, self._seen.seen.news.facts.evaluations_total)
                self.query_one("#legend", Static).update(legend(self.history))
            text = standing(self._seen.seen.news, self.history, time.time())
            self.query_one(TopBar).set_standing(text)
            self.query_one(Meters).tick()
            self._show_workers()

    # what a person does

    @property
    def _table(self) -> RowsTable[Outcome]:
        return self.query_one("#candidate-list", RowsTable)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        possible = {
            "pause": self.state in ("starting", "running"),
            "resume": self.state in ("paused", "stopped", "interrupted", "failed", "created"),
            "stop": self.state in LIVE,
            "kill": self.state in LIVE,
            "export": self.state == "finished",
            "chat": self.state == "finished",
            "publish": self.state == "finished",
            "archive": self._has_archive,
            "vote": self._waits_for_votes,
        }
        return possible.get(action, True)

    def action_pause(self) -> None:
        self._command("pause", "Pausing after the current candidate")

    def action_stop(self) -> None:
        self._command("stop", "Stopping after the current candidate")

    def action_resume(self) -> None:
        if self.state == "paused":
            self._command("resume", "Resuming")
        else:
            self._start()

    @work(thread=True, group="command", exit_on_error=False)
    def _command(self, name: str, done: str) -> None:
        self._attempt(lambda: append_command(self.folder, name), done)

    @work(thread=True, exclusive=True, group="start", exit_on_error=False)
    def _start(self) -> None:
        from evomerge_tui.processes import job

        self._attempt(lambda: job.start(self.folder), "The job has started")

    @work(exclusive=True, group="kill")
    async def action_kill(self) -> None:
        from evomerge_tui.screens.dialogs.confirm import Confirm

        detail = "Finished work is kept; the current candidate is lost. Resume continues from there."
        if await self.app.push_screen_wait(Confirm("Stop the job at once?", detail, "Stop now")):
            self._end_now()

    @work(thread=True, group="command", exit_on_error=False)
    def _end_now(self) -> None:
        from evomerge_tui.processes import job

        self._attempt(lambda: job.end_now(self.folder), "The job was stopped")

    def _attempt(self, do: Callable[[], object], done: str) -> None:
        """Does something in a thread, and reports how it went."""
        try:
            do()
        except (InputError, sqlite3.Error, OSError) as error:
            self.app.call_from_thread(self.evomerge.tell, str(error), "error")
        else:
            self.app.call_from_thread(self.evomerge.tell, done)

    def chosen_run(self) -> Path | None:
        return self.folder

    def action_export(self) -> None:
        self.evomerge.open_export(self.folder)

    def action_chat(self) -> None:
        self.evomerge.open_chat(self.folder)

    def action_vote(self) -> None:
        from evomerge_tui.screens.vote.vote import VoteScreen

        self.app.push_screen(VoteScreen(self.folder))

    def action_archive(self) -> None:
        from evomerge_tui.screens.archive.archive import ArchiveScreen

        self.app.push_screen(ArchiveScreen(self.folder))

    def action_panel(self, name: str) -> None:
        """Shows a panel where only one has room, and puts the cursor into it."""
        for panel in PANELS:
            self.query_one(f"#{panel}").set_class(panel == name, "-shown")
        self.query_one(PanelTabs).choose(name)
        target = {"fitness": "#plot", "candidates": "#candidate-list", "log": "#events"}.get(name)
        if target is not None:
            self.query_one(target).focus()

    @on(PanelTabs.Chosen)
    def _panel_chosen(self, event: PanelTabs.Chosen) -> None:
        self.action_panel(event.name)

    def action_filter(self) -> None:
        self.action_panel("candidates")
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    @on(Input.Changed, "#filter")
    def _filter(self, event: Input.Changed) -> None:
        self._table.set_filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filtered(self, event: Input.Submitted) -> None:
        event.input.display = bool(event.value)
        self._table.focus()

    def action_copy(self) -> None:
        row = self._table.row
        if row is not None:
            self.evomerge.copy_text(candidate_yaml(row), one_line(row.label, 40))

    def action_open(self) -> None:
        self._table.action_open()

    @on(RowsTable.Opened)
    def _open(self, event: RowsTable.Opened) -> None:
        from evomerge_tui.screens.candidate.candidate import CandidateScreen

        order = [outcome.candidate for outcome in self._table.rows]
        self.app.push_screen(CandidateScreen(self.folder, event.row.candidate, order))


def candidate_yaml(outcome: Outcome) -> str:
    """A row of the table as YAML."""
    from evomerge_core.files.yaml_file import dump_yaml

    names = ("label", "kind", "generation", "split", "precision", "score", "loss", "failure", "seconds")
    return dump_yaml({name: value for name in names if (value := getattr(outcome, name)) is not None})


def _pause(seconds: float, is_cancelled: Callable[[], bool]) -> None:
    """Sleeps in small steps, so that leaving takes no time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not is_cancelled():
        time.sleep(0.05)
