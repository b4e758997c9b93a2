"""`evomerge-tui compare RUN RUN...`: what differs between runs, how they went, and whose winner is better."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from evomerge_core.run.comparison import Comparison


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("compare", help="compare runs: settings, searches, verdicts, winners on the same items")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the folders of two runs or more")
    add_json(parser)
    parser.set_defaults(command=_compare)


def _compare(args: argparse.Namespace) -> int:
    from rich.text import Text

    from evomerge_core.run.comparison import compare_runs
    from evomerge_tui.terminal.safe_console import SafeConsole

    comparison = compare_runs(args.runs)
    if args.json:
        print_json(comparison.to_json())
        return 0
    console = SafeConsole()
    for part in _parts(comparison, console.width):
        console.print(part, soft_wrap=isinstance(part, Text))
    return 0


def _parts(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    from evomerge_tui.text.comparison_words import bars, pairs, run_name, verdict_rows
    from evomerge_tui.text.shown_text import one_line

    runs = Table("", "run", "state", "candidates", "minutes", "winner", "test", "95 % interval", box=None, title_justify="left")
    for row in verdict_rows(comparison):
        runs.add_row(*map(Text, row))
    yield runs
    for place, run in enumerate(comparison.runs):
        if run.conclusion:
            yield Text(f"{run_name(comparison, place)}: {one_line(run.conclusion)}.")
    settings = Table(box=None)
    for title in ("setting", *(str(number) for number in range(1, len(comparison.runs) + 1))):
        settings.add_column(title, overflow="fold")
    for setting in comparison.settings:
        settings.add_row(Text(setting.key), *(Text("-" if value is None else value) for value in setting.values))
    yield Text()
    yield settings if comparison.settings else Text("The recipes say the same.")
    yield Text("\nBest so far, by candidates searched:")
    yield from map(Text, bars(comparison, width))
    yield Text()
    yield from map(Text, pairs(comparison))
