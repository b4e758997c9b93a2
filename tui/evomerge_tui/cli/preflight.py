"""`evomerge-tui preflight RECIPE`: everything that can be told about a run before it starts."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("preflight", help="check a recipe on this machine: models, tasks, memory, disk, time")
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a recipe (YAML)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (default: the recipe's output)")
    add_json(parser)
    parser.set_defaults(command=_preflight)


def _preflight(args: argparse.Namespace) -> int:
    from evomerge_core.recipe.load import load_recipe
    from evomerge_quant.planning.preflight import preflight
    from evomerge_quant.planning.timings import read_timings
    from evomerge_tui.places import timings_path

    report = preflight(load_recipe(args.recipe), timings=read_timings(timings_path()), out=args.out)
    if args.json:
        print_json({**dataclasses.asdict(report), "ready": report.ready})
        return 0 if report.ready else 1
    from rich.console import Console

    from evomerge_tui.checklist import checklist

    Console().print(checklist(report))
    return 0 if report.ready else 1
