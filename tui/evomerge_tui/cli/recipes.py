"""`evomerge-tui recipes`: the recipes that come with evomerge-tui, and copies of them to edit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json

if TYPE_CHECKING:
    from evomerge_recipes.catalogue import ReadyRecipe


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("recipes", help="list the ready-made recipes, or copy one to a file")
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of a recipe; without it, list all")
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT.yaml", help="file for a copy; without it, print the recipe")
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
        print_json({"recipes": [_facts(recipe) for recipe in ready]})
        return 0
    from rich.table import Table
    from rich.text import Text

    from evomerge_tui.terminal.safe_console import SafeConsole

    table = Table(box=None, pad_edge=False)
    for column in ("recipe", "VRAM", "what it merges"):
        table.add_column(column)
    for recipe in ready:
        room = f"{recipe.memory} GB" if recipe.memory else "no GPU"
        table.add_row(Text(recipe.name, style="bold"), Text(room), Text(f"{recipe.title}\n{recipe.summary}"))
    SafeConsole().print(table)
    return 0


def _write(chosen: ReadyRecipe, out: Path, *, as_json: bool) -> int:
    from evomerge_core.errors import InputError
    from evomerge_core.files.durable import write_whole
    from evomerge_core.recipe.load import dump_recipe
    from evomerge_recipes.catalogue import load_ready
    from evomerge_tui.user.user_paths import cache_folder

    if out.exists():
        raise InputError("already exists", where=out, remedy="choose another file")
    # a quickstart gets this machine's paths; other recipes are copied unchanged, with their comments
    text = dump_recipe(load_ready(chosen, cache_folder())) if chosen.is_quickstart else chosen.path.read_text(encoding="utf-8")
    write_whole(out, text)
    print_json({"recipe": chosen.name, "file": str(out)}) if as_json else print(out)
    return 0


def _facts(recipe: ReadyRecipe) -> dict[str, object]:
    return {
        "name": recipe.name,
        "title": recipe.title,
        "summary": recipe.summary,
        "memory_gb": recipe.memory,
        "notes": list(recipe.notes),
        "file": str(recipe.path),
    }
