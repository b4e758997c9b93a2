"""`evomerge-tui resume RUN`: continues a run that is paused, was stopped or was killed."""

from __future__ import annotations

import argparse
import sys

from evomerge_core.errors import InputError
from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder, add_workers
from evomerge_tui.cli.run_commands.command_job import send
from evomerge_tui.cli.run_commands.follow import add_detach, follow


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("resume", help="continue a run that is paused, was stopped or was killed")
    add_run_folder(parser)
    add_workers(parser)
    add_detach(parser)
    add_json(parser)
    parser.set_defaults(command=_resume)


def _resume(args: argparse.Namespace) -> int:
    from evomerge_core.run.run_folder.folder import require_run
    from evomerge_core.run.run_folder.lock import is_held
    from evomerge_quant.workers.wanted import keep_workers

    require_run(args.run)
    if is_held(args.run):
        if args.workers is not None:
            raise InputError(
                "a job is at work, and keeps its workers", where=args.run, remedy="stop it first, or leave --workers out"
            )
        return send(args, "resume")
    restored = None if args.workers is None else keep_workers(args.run, args.workers)
    if restored is not None:
        print(restored, file=sys.stderr)
    return follow(args.run, detach=args.detach, as_json=args.json)
