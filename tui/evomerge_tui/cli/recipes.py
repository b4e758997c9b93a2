"""`evomerge-tui recipes`: the recipes that come along, and copies of them to edit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json

if TYPE_CHECKING:
    from evomerge_recipes.catalogue import ReadyRecipe


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("recipes", help="list the ready recipes, or write one to a file to edit")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a ready recipe")
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT.yaml", help="where to write a copy; without it, show it")
    add_json(parser)
    parser.set_defaults(command=_recipes)


def _recipes(args: argparse.Namespace) -> int:
    from evomerge_recipes.catalogue import ready_recipe, ready_recipes

    if args.name is None:
        return _list(ready_recipes(), as_json=args.json)
    chosen = ready_recipe(args.name)
    if args.out is not None:
        return _write(chosen, args.out, as_json=args.json)
    print_json(_facts(chosen)) if args.json else print(chosen.path.read_text(encoding="utf-8"), end="")
    return 0


def _list(ready: tuple[ReadyRecipe, ...], *, as_json: bool) -> int:
    if as_json:
        print_json({"recipes": [_facts(one) for one in ready]})
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("recipe", "VRAM", "what it crosses"):
        table.add_column(column)
    for one in ready:
        room = f"{one.memory} GB" if one.memory else "no GPU"
        table.add_row(Text(one.name, style="bold"), Text(room), Text(f"{one.title}\n{one.summary}"))
    Console().print(table)
    return 0


def _write(chosen: ReadyRecipe, out: Path, *, as_json: bool) -> int:
    from evomerge_core.errors import InputError
    from evomerge_core.recipe.load import dump_recipe
    from evomerge_recipes.catalogue import load_ready
    from evomerge_tui.user.atomic_write import write_whole
    from evomerge_tui.user.user_paths import cache_folder

    if out.exists():
        raise InputError(f"{out}: exists already; name another file")
    # the quickstarts' paths are those of this machine; the others are copied as they are, comments and all
    own = chosen.is_quickstart
    text = dump_recipe(load_ready(chosen, cache_folder())) if own else chosen.path.read_text(encoding="utf-8")
    write_whole(out, text)
    print_json({"recipe": chosen.name, "file": str(out)}) if as_json else print(out)
    return 0


def _facts(one: ReadyRecipe) -> dict[str, object]:
    return {
        "name": one.name,
        "title": one.title,
        "summary": one.summary,
        "memory_gb": one.memory,
        "notes": list(one.notes),
        "file": str(one.path),
    }
