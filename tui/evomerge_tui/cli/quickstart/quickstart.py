"""`evomerge-tui quickstart`: the paper in miniature on a real model, from an empty folder to a tested child as GGUF files."""

from __future__ import annotations

import argparse
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json
from evomerge_tui.cli.run_commands.follow import add_detach, follow


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("quickstart", help="merge an arithmetic and a Japanese model in minutes, without a GPU")
    parser.add_argument("--vlm", action="store_true", help="the one with pictures: a Japanese vision-language model")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (default: quickstart, or quickstart-vlm with --vlm)"
    )
    parser.add_argument("--evaluations", type=int, metavar="N", help="candidates to score (default: the recipe's)")
    parser.add_argument("--minutes", type=float, metavar="M", help="time limit in minutes (default: none)")
    parser.add_argument("--seed", type=int, metavar="S", default=0, help="random seed (default: 0)")
    add_detach(parser)
    add_json(parser)
    parser.set_defaults(command=_quickstart)


def _quickstart(args: argparse.Namespace) -> int:
    from platformdirs import user_cache_path

    from evomerge_core.run.run_folder.folder import require_empty
    from evomerge_core.run.setup import create_run
    from evomerge_quant.gguf.convert.converter import installed_version
    from evomerge_quant.planning.precision import choose_precision
    from evomerge_recipes.catalogue import load_ready, ready_recipe
    from evomerge_tui.cli.quickstart.ending import ship

    name = "quickstart-vlm" if args.vlm else "quickstart"
    out = args.out or Path(name)
    require_empty(out)
    if not args.detach:
        # its files are the quickstart's end: better said now than minutes later
        installed_version()
    recipe = load_ready(ready_recipe(name), user_cache_path("evomerge-tui"))
    limits = {"evaluations": args.evaluations, "minutes": args.minutes, "seed": args.seed}
    folder = create_run(recipe, choose=choose_precision, out=out, **limits)
    return follow(folder, detach=args.detach, as_json=args.json, ending=ship)
