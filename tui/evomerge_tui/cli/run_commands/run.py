"""`evomerge-tui run RECIPE`: evolves a merge as the recipe describes."""

from __future__ import annotations

import argparse
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, add_workers
from evomerge_tui.cli.run_commands.follow import add_detach, follow


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("run", help="evolve a merge as a recipe describes")
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a recipe (YAML), or a mergekit-evolve configuration")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (default: the recipe's output)")
    parser.add_argument("--evaluations", type=int, metavar="N", help="candidates to score (default: the recipe's)")
    parser.add_argument("--minutes", type=float, metavar="M", help="time limit in minutes (default: the recipe's)")
    parser.add_argument("--seed", type=int, metavar="S", help="random seed (default: the recipe's)")
    add_workers(parser)
    add_detach(parser)
    add_json(parser)
    parser.set_defaults(command=_run)


def _run(args: argparse.Namespace) -> int:
    from evomerge_core.recipe.load import load_recipe
    from evomerge_core.run.setup import create_run
    from evomerge_quant.planning.precision import choose_precision
    from evomerge_quant.workers.wanted import with_workers

    recipe = with_workers(load_recipe(args.recipe), args.workers)
    limits = {"evaluations": args.evaluations, "minutes": args.minutes, "seed": args.seed}
    folder = create_run(recipe, choose=choose_precision, out=args.out, **limits)
    return follow(folder, detach=args.detach, as_json=args.json)
