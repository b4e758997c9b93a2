"""`evomerge-tui merge FILE OUT`: one fixed merge, from mergekit's YAML to a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("merge", help="carry out one fixed merge and write the model")
    parser.add_argument("file", type=Path, metavar="FILE", help="a mergekit_config.yml, such as a winner's")
    parser.add_argument("out", type=Path, metavar="OUT", help="the model's folder, new or empty")
    parser.add_argument("--allow-pickle", action="store_true", help="read pickle checkpoints too (weights only)")
    add_json(parser)
    parser.set_defaults(command=_merge)


def _merge(args: argparse.Namespace) -> int:
    from evomerge_core.merging.folder import require_free
    from evomerge_core.merging.merge import write_merge
    from evomerge_core.merging.open_aligned import open_aligned
    from evomerge_core.recipe.mergekit import read_mergekit

    require_free(args.out)
    config = read_mergekit(args.file)
    sources = open_aligned(config, relative_to=args.file.parent, allow_pickle=args.allow_pickle)
    write_merge(args.out, config, sources, args.file.read_text(encoding="utf-8"))
    if args.json:
        print_json({"model": str(args.out)})
    else:
        print(args.out)
    return 0
