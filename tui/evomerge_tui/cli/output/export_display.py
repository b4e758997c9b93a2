"""What an export shows: its plan before anything is written, its progress, and the finished files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from evomerge_tui.text.quantities import percent

if TYPE_CHECKING:
    from evomerge_quant.gguf.export import Exported, ExportedEyes, ExportedFile
    from evomerge_quant.gguf.plan import ExportPlan, PlannedEyes
    from evomerge_quant.gguf.progress import ExportStep
    from evomerge_quant.gguf.rescore import Rescored


def show_plan(console: Console, plan: ExportPlan) -> None:
    """Sizes, bits per weight and expected loss, where the files go, and how much space there is."""
    from evomerge_quant.gguf.quantize.file_types import LOSS_SOURCE

    table = Table(box=None, pad_edge=False)
    table.add_column("type")
    for column in ("size", "bits per weight", "perplexity change"):
        table.add_column(column, justify="right")
    table.add_column("file", overflow="fold")
    for file in plan.files:
        loss = "not published" if file.loss is None else f"{file.loss:+.3f}"
        cells = (file.type.name, _size(file.bytes), f"{file.bits_per_weight:.2f}", loss, file.path.name)
        table.add_row(*(Text(cell) for cell in cells))
    room = f"needs {_size(plan.needed)} while it runs, {_size(plan.free)} free"
    _say(console, [f"{plan.subject.label}, into {plan.destination} ({room})"])
    if plan.eyes is not None:
        state = "already there" if plan.eyes.ready else f"copied from {plan.eyes.given}" if plan.eyes.given else "converted"
        cells = ("", _size(plan.eyes.bytes), "", "", f"{plan.eyes.path.name} ({state})")
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    _say(console, [f"Expected perplexity change, as published for {LOSS_SOURCE}; small models lose more."], "dim")
    _warn(console, plan.warnings)


def show_exported(console: Console, done: Exported, already_shown: Sequence[str]) -> None:
    """The files and whether they were verified, warnings that weren't shown before, and the commands to run next."""
    for file in done.files:
        _say(console, [_file_line(file)], "red" if file.suspect else "green")
    if done.eyes is not None:
        seen = any(file.sight is not None for file in done.files)
        _say(console, [_eyes_line(done.eyes, seen=seen)], "red" if done.eyes.failures else "green")
    _warn(console, [line for line in done.warnings if line not in already_shown])
    _say(console, [f"next: {file.handover.next}" for file in done.files if file.handover is not None])


def show_rescored(console: Console, found: Rescored) -> None:
    """What the best candidates of the search score as files, and which of them is exported."""
    table = Table(box=None, pad_edge=False)
    for column in ("candidate", f"search, {found.precision}", f"validation, {found.encoding}"):
        table.add_column(column, justify="left" if column == "candidate" else "right")
    for row in found.rows:
        cells = (row.label, percent(row.search), row.failure or percent(row.file))
        table.add_row(*(Text(cell, style="bold green" if row.label == found.best else "") for cell in cells))
    console.print(table)
    kept = "it is the run's winner too" if found.best == found.winner else f"the run's winner was {found.winner}"
    _say(console, [f"best as a file: {found.best} ({kept}; {found.items} validation items)"])


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[ExportStep], None]]:
    """A bar on a terminal; when piped, one line for each step."""
    if not console.is_terminal:
        yield _printer(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(step: ExportStep) -> None:
            progress.update(task, description=step.what, total=None if step.share is None else 1.0, completed=step.share or 0.0)

        yield show


@contextmanager
def json_steps(print_object: Callable[[dict[str, object]], None]) -> Iterator[Callable[[ExportStep], None]]:
    """An object for every step and every whole percent of it, for a program that reads them."""
    last: tuple[str, int | None] | None = None

    def write(step: ExportStep) -> None:
        nonlocal last
        now = (step.what, None if step.share is None else int(100 * step.share))
        if now != last:
            last = now
            print_object({"step": step.what, "share": None if step.share is None else round(step.share, 3)})

    yield write


def plan_facts(plan: ExportPlan) -> dict[str, object]:
    """A plan for JSON."""
    files = [
        {
            "type": file.type.name,
            "path": str(file.path),
            "exists": file.path.exists(),
            "bytes": file.bytes,
            "bits_per_weight": round(file.bits_per_weight, 3),
            "loss": file.loss,
            "note": file.type.note,
            "warnings": list(file.warnings),
        }
        for file in plan.files
    ]
    return {
        "model": plan.subject.label,
        "destination": str(plan.destination),
        "files": files,
        "needed": plan.needed,
        "free": plan.free,
        "warnings": list(plan.warnings),
        **({} if plan.eyes is None else {"mmproj": _eyes_facts(plan.eyes)}),
    }


def _eyes_facts(eyes: PlannedEyes) -> dict[str, object]:
    given = None if eyes.given is None else str(eyes.given)
    return {"path": str(eyes.path), "bytes": eyes.bytes, "given": given, "exists": eyes.ready}


def _printer(console: Console) -> Callable[[ExportStep], None]:
    shown: list[str] = []

    def show(step: ExportStep) -> None:
        if step.what not in shown:
            shown.append(step.what)
            _say(console, [step.what])

    return show


def _file_line(file: ExportedFile) -> str:
    head = f"{file.path}  {_size(file.bytes)}, {file.bits_per_weight:.2f} bits per weight"
    if file.proof is None:
        return f"{head}, not verified"
    failures = (*file.proof.failures, *(file.sight.failures if file.sight is not None else ()))
    return f"{head}, " + (f"failed verification: {'; '.join(failures)}" if failures else "verified")


def _eyes_line(eyes: ExportedEyes, *, seen: bool) -> str:
    head = f"{eyes.path}  {_size(eyes.bytes)}, to see with"
    if not seen:
        return f"{head}, not verified"
    return f"{head}, " + (f"failed verification: {'; '.join(eyes.failures)}" if eyes.failures else "verified with pictures")


def _warn(console: Console, lines: Sequence[str]) -> None:
    _say(console, [f"warning: {line}" for line in lines], "yellow")


def _say(console: Console, lines: Sequence[str], style: str = "") -> None:
    """Whole lines, so that paths and commands can be copied."""
    for line in lines:
        console.print(Text(line, style=style), soft_wrap=True)


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
