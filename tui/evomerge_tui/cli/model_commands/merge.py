"""`evomerge-tui merge FILE OUT`: writes the model that one fixed merge or path describes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("merge", help="write the model that a merge recipe describes")
    parser.add_argument("file", type=Path, metavar="FILE", help="a winner's merge recipe, or any mergekit_config.yml")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the model, new or empty")
    parser.add_argument("--allow-pickle", action="store_true", help="also read pickle checkpoints (weights only)")
    add_json(parser)
    parser.set_defaults(command=_merge)


def _merge(args: argparse.Namespace) -> int:
    from evomerge_core.fixed_merge.merge_from_file import merge_from_file

    notices = merge_from_file(args.file, args.out, allow_pickle=args.allow_pickle)
    for notice in notices:
        print(f"notice: {notice}", file=sys.stderr)
    if args.json:
        print_json({"model": str(args.out), "notices": list(notices)})
    else:
        print(args.out)
    return 0
