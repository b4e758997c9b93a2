"""`evomerge-tui stop RUN`: end the job after the current evaluation, or at once."""

from __future__ import annotations

import argparse

from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder
from evomerge_tui.cli.run_commands.command_job import print_state, send


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("stop", help="end the job after the current evaluation; `resume` continues it")
    add_run_folder(parser)
    parser.add_argument("--now", action="store_true", help="end it at once; the current evaluation is lost")
    add_json(parser)
    parser.set_defaults(command=_stop)


def _stop(args: argparse.Namespace) -> int:
    if not args.now:
        return send(args, "stop")
    from evomerge_tui.processes.job import end_now

    end_now(args.run)
    return print_state(args, "stop")
