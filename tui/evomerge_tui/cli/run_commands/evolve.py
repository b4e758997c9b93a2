"""`evomerge-tui evolve RUN`: goes on from a finished archive, with other sources or tasks beside its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder
from evomerge_tui.cli.run_commands.follow import add_detach, follow


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("evolve", help="go on from a finished run's archive, with more models or tasks")
    add_run_folder(parser)
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="MODEL",
        help="another source: a folder, a hub id, or either with +ADAPTER",
    )
    parser.add_argument("--tasks", type=Path, metavar="FILE", help="YAML with more tasks under the key 'tasks', as in a recipe")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the new run (default: RUN-2, then RUN-3)")
    parser.add_argument("--evaluations", type=int, metavar="N", help="candidates to score (default: the run's)")
    parser.add_argument("--minutes", type=float, metavar="M", help="time limit in minutes (default: the run's)")
    parser.add_argument("--seed", type=int, metavar="S", help="random seed (default: the run's)")
    add_detach(parser)
    add_json(parser)
    parser.set_defaults(command=_evolve)


def _evolve(args: argparse.Namespace) -> int:
    from evomerge_core.run.population.evolve import Additions, evolve

    limits = {"evaluations": args.evaluations, "minutes": args.minutes, "seed": args.seed}
    folder = evolve(args.run, Additions(args.add, args.tasks, Path.cwd()), out=args.out, **limits)
    return follow(folder, detach=args.detach, as_json=args.json)
