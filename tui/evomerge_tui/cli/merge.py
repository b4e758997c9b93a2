"""`evomerge-tui merge FILE OUT`: one fixed merge or path, from its YAML to a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("merge", help="carry out one fixed merge and write the model")
    parser.add_argument("file", type=Path, metavar="FILE", help="a winner's recipe, or any mergekit_config.yml")
    parser.add_argument("out", type=Path, metavar="OUT", help="the model's folder, new or empty")
    parser.add_argument("--allow-pickle", action="store_true", help="read pickle checkpoints too (weights only)")
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
