"""`evomerge-tui preflight RECIPE`: checks a run before it starts."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evomerge_tui.cli.arguments import Subparsers, add_json, add_workers, print_json

if TYPE_CHECKING:
    from evomerge_core.recipe.schema import Recipe


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("preflight", help="check a recipe on this machine: models, tasks, memory, disk space, time")
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a recipe (YAML)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (default: the recipe's output)")
    parser.add_argument(
        "--measure", action="store_true", help="score one candidate to estimate the run's time; downloads missing models"
    )
    add_workers(parser)
    add_json(parser)
    parser.set_defaults(command=_preflight)


def _preflight(args: argparse.Namespace) -> int:
    from evomerge_core.recipe.load import load_recipe
    from evomerge_quant.planning.machine.timings import read_timings
    from evomerge_quant.planning.preflight import preflight
    from evomerge_quant.workers.wanted import with_workers
    from evomerge_tui.user.user_paths import timings_path

    recipe = with_workers(load_recipe(args.recipe), args.workers)
    report = preflight(recipe, timings=read_timings(timings_path()), out=args.out)
    measured = _measured(recipe) if args.measure and report.ready else None
    if args.json:
        print_json({**dataclasses.asdict(report), "ready": report.ready, "measured": measured})
        return 0 if report.ready else 1
    from evomerge_tui.terminal.safe_console import SafeConsole
    from evomerge_tui.text.checklist import checklist

    SafeConsole().print(checklist(report))
    if measured is not None:
        print(f"measured: about {measured['seconds'] / 60:.1f} minutes, {measured['tokens']:,.0f} generated tokens")
    return 0 if report.ready else 1


def _measured(recipe: Recipe) -> dict[str, Any]:
    from evomerge_quant.planning.measure import measure

    found = measure(recipe)
    return {"seconds": found.seconds, "tokens": found.tokens, **dataclasses.asdict(found)}
