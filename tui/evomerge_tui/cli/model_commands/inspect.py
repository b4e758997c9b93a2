"""`evomerge-tui inspect MODEL...`: describes models, and checks whether they can be merged with the first."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("inspect", help="describe models and check whether they can be merged")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a folder, a hub id, or either with +ADAPTER")
    parser.add_argument("--allow-pickle", action="store_true", help="also read pickle checkpoints (weights only)")
    add_json(parser)
    parser.set_defaults(command=_inspect)


def _inspect(args: argparse.Namespace) -> int:
    from evomerge_core.sources.checks.compatibility import check
    from evomerge_core.sources.inspection import inspect
    from evomerge_core.sources.source import open_source

    sources = [open_source(m, relative_to=Path.cwd(), allow_pickle=args.allow_pickle) for m in args.models]
    facts = [dataclasses.asdict(inspect(source)) for source in sources]
    refusals = [str(error) for error in check(sources[0], sources[1:])] if len(sources) > 1 else []
    if args.json:
        print_json({"models": facts, "refusals": refusals, "mergeable": not refusals})
        return 0
    from evomerge_tui.cli.output.inspect_table import facts_table
    from evomerge_tui.terminal.safe_console import SafeConsole

    console = SafeConsole()
    console.print(facts_table(facts))
    for line in refusals:
        console.print(line, style="red", markup=False)
    if len(sources) > 1 and not refusals:
        console.print(f"These {len(sources)} models can be merged.", style="green")
    return 0
