"""`evomerge-tui status RUN`: where a run stands."""

from __future__ import annotations

import argparse
import dataclasses

from evomerge_core.run.progress import read_progress
from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("status", help="show where a run stands")
    add_run_folder(parser)
    add_json(parser)
    parser.set_defaults(command=_status)


def _status(args: argparse.Namespace) -> int:
    progress = read_progress(args.run)
    if args.json:
        print_json(dataclasses.asdict(progress))
        return 0
    from rich.console import Console

    from evomerge_tui.watch import display

    Console().print(display(progress))
    if progress.message:
        print(progress.message)
    return 0
