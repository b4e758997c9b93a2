"""What an export shows: its plan before anything is written, its progress, and what came of it."""

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
    from evomerge_quant.gguf.export import Exported, ExportedFile
    from evomerge_quant.gguf.plan import ExportPlan
    from evomerge_quant.gguf.progress import ExportStep
    from evomerge_quant.gguf.rescore import Rescored


def show_plan(console: Console, plan: ExportPlan) -> None:
    """Sizes, bits per weight and expected loss, where the files go, and what room there is."""
    from evomerge_quant.gguf.quantize.file_types import LOSS_SOURCE

    table = Table(box=None, pad_edge=False)
    table.add_column("type")
    for column in ("size", "bits a weight", "perplexity change"):
        table.add_column(column, justify="right")
    table.add_column("file", overflow="fold")
    for file in plan.files:
        loss = "not published" if file.loss is None else f"{file.loss:+.3f}"
        cells = (file.type.name, _size(file.bytes), f"{file.bits_per_weight:.2f}", loss, file.path.name)
        table.add_row(*(Text(cell) for cell in cells))
    room = f"{_size(plan.needed)} needed while it runs, {_size(plan.free)} free"
    _say(console, [f"{plan.subject.label}, into {plan.destination} ({room})"])
    console.print(table)
    _say(console, [f"Perplexity changes are published ones: {LOSS_SOURCE}. Small models lose more."], "dim")
    _warn(console, plan.warnings)


def show_exported(console: Console, done: Exported, said: Sequence[str]) -> None:
    """The files with what their proofs found, warnings that weren't said before, and the commands that come next."""
    for file in done.files:
        _say(console, [_file_line(file)], "red" if file.suspect else "green")
    _warn(console, [line for line in done.warnings if line not in said])
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
    kept = "the run's winner is the best file too" if found.best == found.winner else f"the run's winner was {found.winner}"
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
def json_steps(say: Callable[[dict[str, object]], None]) -> Iterator[Callable[[ExportStep], None]]:
    """An object for every step and every whole percent of it, for a program that listens."""
    said: tuple[str, int | None] | None = None

    def tell(step: ExportStep) -> None:
        nonlocal said
        now = (step.what, None if step.share is None else int(100 * step.share))
        if now != said:
            said = now
            say({"step": step.what, "share": None if step.share is None else round(step.share, 3)})

    yield tell


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
    }


def _printer(console: Console) -> Callable[[ExportStep], None]:
    said: list[str] = []

    def show(step: ExportStep) -> None:
        if step.what not in said:
            said.append(step.what)
            _say(console, [step.what])

    return show


def _file_line(file: ExportedFile) -> str:
    head = f"{file.path}  {_size(file.bytes)}, {file.bits_per_weight:.2f} bits a weight"
    if file.proof is None:
        return f"{head}, not proved"
    return f"{head}, " + ("proved" if file.proof.passed else f"NOT as it should be: {'; '.join(file.proof.failures)}")


def _warn(console: Console, lines: Sequence[str]) -> None:
    _say(console, [f"warning: {line}" for line in lines], "yellow")


def _say(console: Console, lines: Sequence[str], style: str = "") -> None:
    """Whole lines, so that paths and commands can be copied."""
    for line in lines:
        console.print(Text(line, style=style), soft_wrap=True)


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
