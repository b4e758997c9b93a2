"""`evomerge-tui pause RUN`: pause the job after the current evaluation."""

from __future__ import annotations

import argparse

from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder
from evomerge_tui.cli.run_commands.command_job import send


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("pause", help="pause the job after the current evaluation; it keeps its memory")
    add_run_folder(parser)
    add_json(parser)
    parser.set_defaults(command=_pause)


def _pause(args: argparse.Namespace) -> int:
    return send(args, "pause")
