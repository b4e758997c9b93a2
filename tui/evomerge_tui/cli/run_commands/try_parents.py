"""`evomerge-tui try RECIPE`: scores the base and the parents on a few items, before a whole night is spent on a run."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from evomerge_tui.cli.arguments import Subparsers, print_json

if TYPE_CHECKING:
    from evomerge_core.recipe.schema import Recipe
    from evomerge_core.run.candidate.trial import Tried

ITEMS = 8


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("try", help="score the base and the parents on a few items before a run")
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a recipe (YAML)")
    parser.add_argument("--items", type=int, default=ITEMS, metavar="N", help=f"items per task (default: {ITEMS})")
    parser.add_argument("--json", action="store_true", help="print JSON objects, one per line: each model, then all")
    parser.set_defaults(command=_try)


def _try(args: argparse.Namespace) -> int:
    from evomerge_core.errors import InputError
    from evomerge_core.recipe.absolute_paths import with_absolute_paths
    from evomerge_core.recipe.load import load_recipe
    from evomerge_core.run.candidate.trial import first_items, try_parents
    from evomerge_core.run.setup import prepare
    from evomerge_quant.planning.precision import choose_precision
    from evomerge_quant.resident.model import evaluators
    from evomerge_quant.resident.sight import see_pictures

    if args.items < 1:
        raise InputError("must be at least 1", where=f"--items {args.items}")
    recipe = with_absolute_paths(load_recipe(args.recipe))
    setup = first_items(prepare(recipe, recipe.folder, choose_precision), args.items)
    evaluation = recipe.evaluation
    notes = _notes(recipe)
    if not args.json:
        _print_notes(notes)
    models = []
    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        sight = see_pictures(setup, Path(scratch))
        make = evaluators(setup.base_folder, evaluation.device, evaluation.arithmetic, setup.speaks, sight.seen)
        for tried in try_parents(sight.setup, make(setup.plan.precision, None, None)):
            models.append(_facts(tried))
            print_json(models[-1]) if args.json else _print(tried)
    if args.json:
        print_json({"recipe": str(args.recipe), "items": args.items, "notes": notes, "parents": models})
    return 0


def _notes(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """How each task's items were read."""
    from evomerge_core.tasks.draw_items import draw_items
    from evomerge_core.tasks.make_task import make_task

    return {
        spec.name: draw_items(spec, make_task(spec), recipe.splits, folder=recipe.folder, exclude=spec.exclude).notes
        for spec in recipe.tasks
    }


def _print_notes(notes: Mapping[str, Sequence[str]]) -> None:
    from rich.text import Text

    from evomerge_tui.terminal.safe_console import SafeConsole

    for task, lines in notes.items():
        for line in lines:
            SafeConsole().print(Text(f"{task}: {line}", style="dim"))


def _facts(tried: Tried) -> dict[str, Any]:
    items = [dataclasses.asdict(item) for item in tried.items]
    return {"label": tried.label, **dataclasses.asdict(tried.evaluation), "answers": items}


def _print(tried: Tried) -> None:
    from rich.text import Text

    from evomerge_tui.terminal.safe_console import SafeConsole
    from evomerge_tui.text.quantities import percent

    score = tried.evaluation.score
    outcome = tried.evaluation.failure if score is None else f"{percent(score, 0)}  ({tried.evaluation.seconds:.1f} s)"
    SafeConsole().print(Text(f"{tried.label}: {outcome}"))
