"""`evomerge-tui inspect MODEL...`: describes models, and checks whether they can be merged with the first."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from evomerge_core.errors import InputError
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

    sources, facts, problems = [], [], []
    for model in args.models:
        try:
            source = open_source(model, relative_to=Path.cwd(), allow_pickle=args.allow_pickle)
            facts.append(dataclasses.asdict(inspect(source)))
            sources.append(source)
        except InputError as error:
            if len(args.models) == 1:
                raise
            problems.append(str(error))
    refusals = [str(error) for error in check(sources[0], sources[1:])] if len(sources) > 1 else []
    refusals = [*problems, *refusals]
    if args.json:
        print_json({"models": facts, "refusals": refusals, "mergeable": not refusals})
        return _status(problems)
    from evomerge_tui.cli.output.inspect_table import facts_table
    from evomerge_tui.terminal.safe_console import SafeConsole

    console = SafeConsole()
    if facts:
        console.print(facts_table(facts))
    for line in refusals:
        console.print(line, style="red", markup=False)
    if len(sources) > 1 and not refusals:
        console.print(f"These {len(sources)} models can be merged.", style="green")
    return _status(problems)


def _status(problems: Sequence[str]) -> int:
    """2 where something isn't a model that can be read, after all others were described."""
    return 2 if problems else 0
