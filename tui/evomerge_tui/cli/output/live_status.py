"""Watches a run until its job ends: a live display on a terminal, plain lines when piped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evomerge_core.run.store.live_states import LIVE
from evomerge_core.run.view.estimates import VOTES, Estimate
from evomerge_core.run.view.progress import Progress, Scored, read_progress
from evomerge_core.run.view.result import Winner
from evomerge_core.run.view.sound_records import sound_records
from evomerge_tui.text.quantities import duration, percent, score_text, scored_in
from evomerge_tui.text.worker_lines import worker_lines

_POLL_SECONDS = 0.5
Shown = TypeVar("Shown")
_PHASES = {
    "pool": "choosing sources",
    "references": "baselines",
    "agreement": "comparing precisions",
    "votes": "waiting for votes",
    "judging": "asking the judge",
}
ENDED = frozenset({"finished", "failed", "stopped", "interrupted"})


def watch(folder: Path, console: Console, *, plain: bool = False) -> Progress:
    """Shows progress until the job has ended; returns the last one. Interrupting it leaves the job running.

    `plain` prints lines on a terminal too: a screen reader can't follow a display that is redrawn.
    """
    return _live(folder, console) if console.is_terminal and not plain else _lines(folder, console)


def _read(folder: Path, shown: Callable[[Progress], Shown]) -> tuple[Progress, Shown]:
    """The progress, and what is shown of it: values that no run writes fail here, and are said to be damage."""
    with sound_records(folder):
        progress = read_progress(folder)
        return progress, shown(progress)


def _live(folder: Path, console: Console) -> Progress:
    with Live(console=console, refresh_per_second=8) as live:
        while True:
            progress, shown = _read(folder, display)
            live.update(shown)
            if progress.state in ENDED:
                return progress
            time.sleep(_POLL_SECONDS)


def _lines(folder: Path, console: Console) -> Progress:
    printed = ""
    while True:
        progress, line = _read(folder, plain_line)
        if line != printed:
            console.print(Text(line), soft_wrap=True)
            printed = line
        if progress.state in ENDED:
            return progress
        time.sleep(_POLL_SECONDS)


def plain_line(progress: Progress) -> str:
    """One line without the clock, so that it changes only when something happened."""
    score = "" if progress.best is None else _best_score(progress.best, progress.best_estimate)
    best = "" if progress.best is None else f"  best {progress.best.label}: {score}"
    failed = f"  failed {progress.failed}" if progress.failed else ""
    winner = "" if progress.winner is None else f"  winner {progress.winner.label}"
    return f"{progress.state}  {_where(progress)}{best}{failed}{winner}"


def plain_sentences(progress: Progress) -> list[str]:
    """Where a run stands, in sentences without bars and columns."""
    lines = [f"The run {progress.folder} is {progress.state}{_priority(progress)}: {_where(progress)}."]
    references = [("parent", progress.parents), ("equal-weight merge", progress.uniform)]
    lines += [
        f"The {kind} {scored.label} has {score_text(scored.score)} on the search items."
        for kind, candidates in references
        for scored in candidates
    ]
    if progress.best is not None:
        score = _best_score(progress.best, progress.best_estimate)
        lines.append(f"The best child, {progress.best.label}, has {score}{_doubt(progress.best)}.")
    if progress.chosen is not None and progress.expectation is not None:
        lines.append(f"Chosen before the test: {progress.chosen}, {progress.expectation}.")
    if progress.winner is not None:
        lines.append(f"The winner is {progress.winner.label}.")
        lines += [] if progress.winner.conclusion is None else [f"In short: {progress.winner.conclusion}."]
        lines += [f"Verdict in {line}." for line in _verdicts(progress.winner)]
        lines += [] if progress.winner.votes is None else [f"{progress.winner.votes}."]
    lines.append(f"Scores are in {scored_in(progress.precision, progress.scored_on)}.")
    lines += [f"{note[0].upper()}{note[1:]}." for note in _precision_notes(progress)]
    lines += [f"{line[0].upper()}{line[1:]}." for line in _workers(progress)]
    return [*lines, f"Time: {_clock(progress)}."]


def display(progress: Progress) -> Group:
    """The live display: state, bar, time left, references and best child; once there is a winner, it and its verdicts."""
    head = Text.assemble((progress.state, "bold"), _priority(progress), f"  {progress.folder}")
    done, total = (1, 1) if progress.state == "finished" else (progress.phase_done, progress.phase_total)
    bar = ProgressBar(total=total, completed=done, width=30)
    row = Table.grid(padding=(0, 2))
    row.add_row(bar, Text(_where(progress)))
    table = Table(box=None, pad_edge=False)
    table.add_column(f"on the search items, {scored_in(progress.precision, progress.scored_on)}")
    for column in ("score", "loss on the correct answer"):
        table.add_column(column, justify="right")
    for scored in (*progress.parents, *progress.uniform):
        _add(table, scored, score_text(scored.score))
    if progress.best is not None:
        _add(table, progress.best, _best_score(progress.best, progress.best_estimate), best=True)
    notes = [Text(note, style="dim") for note in _precision_notes(progress)]
    notes += [Text(line, style="dim") for line in _workers(progress)]
    ends = (*_chosen_lines(progress), *_winner_lines(progress.winner))
    return Group(head, row, Text(_clock(progress), style="dim"), table, *notes, *ends)


def _workers(progress: Progress) -> list[str]:
    """What each worker does, while there is something to do."""
    return worker_lines(progress.workers, time.time()) if progress.state in LIVE else []


def _precision_notes(progress: Progress) -> list[str]:
    """Why the search has its precision, and how that ranks merges; a failed run's message says the latter already."""
    choice = [] if progress.precision_choice is None else [f"precision {progress.precision_choice}"]
    told = progress.agreement is None or progress.agreement in (progress.message or "")
    return [*choice, *([] if told else [str(progress.agreement)])]


def _chosen_lines(progress: Progress) -> list[Text]:
    if progress.chosen is None or progress.expectation is None:
        return []
    return [Text(f"chosen before the test: {progress.chosen}, {progress.expectation}")]


def _winner_lines(winner: Winner | None) -> list[Text]:
    if winner is None:
        return []
    verdicts = zip((winner, *winner.confirmed), _verdicts(winner), strict=True)
    lines = [Text(line, style="bold green" if verdict.better else "bold yellow") for verdict, line in verdicts]
    conclusion = [] if winner.conclusion is None else [Text(winner.conclusion, style="bold")]
    votes = [] if winner.votes is None else [Text(winner.votes)]
    return [Text(f"winner: {winner.label}", style="bold"), *conclusion, *lines, *votes]


def _verdicts(winner: Winner) -> list[str]:
    """What the held-out test said of the winner, a line for each precision."""
    verdicts = (winner, *winner.confirmed)
    on = "to be preferred to the average" if winner.by_votes else "on the test items"
    return [f"{verdict.precision}: {score_text(verdict.test)} {on}; {verdict.verdict}" for verdict in verdicts]


def _best_score(best: Scored, known: Estimate | None) -> str:
    """A score that is the highest of many is high by luck too: what is known from other items stands beside it, or what is
    likely."""
    score = score_text(best.score)
    if known is None or known.split == VOTES:
        return score
    items = f"item{'' if known.items == 1 else 's'}"
    if known.split == "search":
        return f"{score} of {known.items} {items}, likely {percent(known.value, 0)}"
    return f"{score} in the search, {percent(known.value)} of {known.items} {known.split} {items}"


def _doubt(best: Scored) -> str:
    return "" if best.mark is None else f", but is incoherent: {best.mark}"


def _where(progress: Progress) -> str:
    if progress.state == "finished":
        return f"{progress.evaluations} candidates searched"
    if progress.phase is None:
        return "preparing"
    total = "" if progress.phase_total is None else f"/{progress.phase_total}"
    stage = "" if progress.stage is None else f"{progress.stage}: "
    return f"{stage}{_PHASES.get(progress.phase, progress.phase)} {progress.phase_done}{total}"


def _priority(progress: Progress) -> str:
    """The priority of a running job."""
    return f" at {progress.priority} priority" if progress.priority and progress.state in LIVE else ""


def _add(table: Table, scored: Scored, score: str, *, best: bool = False) -> None:
    style, label = ("bold green", f"best child: {scored.label}") if best else ("", scored.label)
    label += " (incoherent)" if scored.mark else ""
    loss = "" if scored.loss is None else f"{scored.loss:.3f}"
    table.add_row(Text(label, style=style), Text(score, style=style), Text(loss))


def _clock(progress: Progress) -> str:
    spent = f"{duration(progress.seconds)} spent"
    phase = f"the {progress.phase}" if progress.phase in ("search", "test") else progress.phase
    left = "" if progress.seconds_left is None else f", about {duration(progress.seconds_left)} until {phase} ends"
    age = "" if progress.age is None or progress.age < 60 else f", last activity {duration(progress.age)} ago"
    return spent + left + age
