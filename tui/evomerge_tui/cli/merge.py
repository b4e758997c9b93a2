"""`evomerge-tui merge FILE OUT`: writes the model that one fixed merge or path describes."""

from __future__ import annotations

import argparse
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
    from evomerge_core.fixed_merge.fixed_merge import open_fixed, write_fixed
    from evomerge_core.fixed_merge.merge_file import read_fixed
    from evomerge_core.merging.model_folder.folder import require_free

    require_free(args.out)
    file = read_fixed(args.file)
    sources = open_fixed(file.fixed, relative_to=args.file.parent, allow_pickle=args.allow_pickle)
    write_fixed(args.out, file.fixed, sources, file.text, file.name)
    if args.json:
        print_json({"model": str(args.out)})
    else:
        print(args.out)
    return 0
