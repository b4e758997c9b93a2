"""`evomerge-tui stop RUN`: end the job after the evaluation at hand."""

from __future__ import annotations

import argparse

from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder
from evomerge_tui.cli.command_job import send


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("stop", help="end the job after the evaluation at hand")
    add_run_folder(parser)
    add_json(parser)
    parser.set_defaults(command=_stop)


def _stop(args: argparse.Namespace) -> int:
    return send(args, "stop")
