"""`evomerge-tui status RUN`: where a run stands, once or until it ends."""

from __future__ import annotations

import argparse
import dataclasses

from evomerge_core.errors import InputError
from evomerge_core.run.view.progress import Progress, read_progress
from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("status", help="show where a run stands")
    add_run_folder(parser)
    parser.add_argument("--watch", action="store_true", help="go on until the job has ended; ctrl+c leaves it at work")
    parser.add_argument("--plain", action="store_true", help="whole lines of words, for screen readers and logs")
    add_json(parser)
    parser.set_defaults(command=_status)


def _status(args: argparse.Namespace) -> int:
    progress = read_progress(args.run)
    if args.json and args.watch:
        raise InputError("--json: one object can't be watched; leave --watch out")
    if args.json:
        print_json(dataclasses.asdict(progress))
        return 0
    from rich.console import Console

    from evomerge_tui.cli.output.live_status import display, watch

    console = Console()
    if args.watch:
        progress = watch(args.run, console, plain=args.plain)
    if args.plain:
        _say_plainly(progress)
    elif not args.watch:
        console.print(display(progress))
    if progress.message:
        print(progress.message)
    return 0


def _say_plainly(progress: Progress) -> None:
    from evomerge_tui.cli.output.live_status import plain_sentences

    for line in plain_sentences(progress):
        print(line)
