"""`evomerge-tui pool MODELS...`: ranks many models by what they are worth to a merge, and says which to merge."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_tui.cli.arguments import Subparsers, print_json

if TYPE_CHECKING:
    from evomerge_core.recipe.schema import Recipe
    from evomerge_core.run.store.store import Store
    from evomerge_core.run.view.pool import Selection


# What the scores of a pool hang on, beside its models.
_ASKED_BY = ("base", "tasks", "splits", "seed")


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("pool", help="rank many models for a task, and find those that merge well")
    parser.add_argument(
        "models", nargs="*", metavar="MODELS", help="models and adapters: folders, folders of them, hub ids, MODEL+ADAPTER"
    )
    parser.add_argument("--base", metavar="B", help="the model that they were made from (default: the recipe's)")
    tasks = parser.add_mutually_exclusive_group(required=True)
    tasks.add_argument("--recipe", type=Path, metavar="RECIPE", help="a recipe: its tasks, and its pool without MODELS")
    tasks.add_argument("--tasks", type=Path, metavar="FILE", help="a YAML file with the keys tasks, and splits if need be")
    parser.add_argument("--seed", type=int, metavar="S", help="random seed (default: the recipe's)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="keep the scores there: go on where it stopped, or `resume DIR` to search"
    )
    parser.add_argument("--json", action="store_true", help="print JSON objects, one per line: what is asked, then all")
    parser.set_defaults(command=_pool)


def _pool(args: argparse.Namespace) -> int:
    from evomerge_tui.terminal.safe_console import SafeConsole

    recipe = _recipe(args)
    with tempfile.TemporaryDirectory() if args.out is None else nullcontext(args.out.parent) as place:
        folder = args.out or Path(place) / "pool"
        selection = _selection(folder, recipe, args)
    if args.json:
        print_json({**selection.as_fact(), "run": None if args.out is None else str(args.out)})
        return 0
    from evomerge_tui.cli.output.pool_table import pool_table

    SafeConsole().print(pool_table(selection))
    if args.out is not None:
        SafeConsole().print(f"evomerge-tui resume {args.out} searches for the best merge of them", markup=False)
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    """The recipe whose pool is asked about; models of the command line are looked for where it was given."""
    from evomerge_core.errors import InputError
    from evomerge_core.pool.expand import named_by
    from evomerge_core.recipe.absolute_paths import with_absolute_paths
    from evomerge_core.recipe.consistency import find_inconsistency
    from evomerge_core.recipe.load import load_recipe
    from evomerge_core.recipe.schema import SourceSpec

    here = Path.cwd()
    recipe = load_recipe(args.recipe) if args.recipe is not None else _of_tasks(args)
    changes: dict[str, object] = {} if args.seed is None else {"seed": args.seed}
    if args.base is not None:
        (changes["base"],) = named_by(args.base, here)
    if args.models:
        members = [name for entry in args.models for name in named_by(entry, here)]
        changes["pool"] = changes["sources"] = tuple(SourceSpec.model_validate(name) for name in members)
    elif not recipe.pool:
        raise InputError("no models are named", where="MODELS", remedy="name some, or a recipe with a pool")
    recipe = recipe.model_copy(update=changes)
    problem = find_inconsistency(recipe)
    if problem is not None:
        raise InputError(problem.text, where=".".join(map(str, problem.location)), remedy=problem.remedy)
    return with_absolute_paths(recipe)


def _of_tasks(args: argparse.Namespace) -> Recipe:
    """A recipe of a file's tasks alone."""
    from dataclasses import replace

    from evomerge_core.errors import InputError
    from evomerge_core.files.yaml_file import read_yaml
    from evomerge_core.recipe.validate import to_recipe

    if args.base is None or not args.models:
        missing = "--base" if args.base is None else "MODELS"
        raise InputError("is missing", where=missing, remedy="give it, or a recipe with --recipe")
    file = read_yaml(args.tasks)
    file.require_keys((), ("tasks", "splits"))
    rest = {"evomerge": 1, "name": "pool", "base": args.base, "pool": args.models, "budget": {"evaluations": 100}}
    return to_recipe(replace(file, data={**rest, **file.data}))


def _selection(folder: Path, recipe: Recipe, args: argparse.Namespace) -> Selection:
    """The choice that a run's folder holds or that is made now; the folder is made where there is none."""
    from evomerge_core.run.run_folder.folder import open_store
    from evomerge_core.run.run_folder.lock import hold
    from evomerge_core.run.run_folder.names import RECIPE
    from evomerge_core.run.setup import create_run
    from evomerge_core.run.store.facts import read_facts, write_facts
    from evomerge_core.run.view.pool import read_selection
    from evomerge_quant.planning.precision import choose_precision

    if not (folder / RECIPE).exists():
        create_run(recipe, choose=choose_precision, out=folder)
    with hold(folder):
        store = open_store(folder, keeps_copies=True)
        try:
            _require_same_pool(folder, recipe, store)
            if read_facts(store).pool is None:
                _choose(folder, store, as_json=args.json)
                write_facts(store, state="stopped")
            selection = read_selection(read_facts(store).pool)
        finally:
            store.close()
    assert selection is not None
    return selection


def _require_same_pool(folder: Path, recipe: Recipe, store: Store) -> None:
    """Refuses a folder of other models, or of other questions to them: its scores would be taken for theirs."""
    from evomerge_core.errors import InputError
    from evomerge_core.run.reopen import frozen_recipe
    from evomerge_core.run.store.facts import read_facts

    facts = read_facts(store)
    frozen = frozen_recipe(folder, facts)
    other = next((key for key in _ASKED_BY if getattr(frozen, key) != getattr(recipe, key)), None)
    if other is not None:
        problem = f"holds scores of another recipe, whose {other} differ from these"
        raise InputError(problem, where=folder, remedy="give another --out, or the same recipe")
    known = {member.model for member in frozen.pool} | {left["model"] for left in facts.pool_unfit}
    asked = {member.model for member in recipe.pool}
    if known != asked:
        raise InputError("holds the scores of other models", where=folder, remedy="give another --out, or the same models")


def _choose(folder: Path, store: Store, *, as_json: bool) -> None:
    from rich.text import Text

    from evomerge_core.run.reopen import reopen
    from evomerge_core.run.selection.select_sources import select_sources
    from evomerge_core.run.store.facts import read_facts
    from evomerge_core.run.watch import watch_run
    from evomerge_quant.resident.model import evaluators
    from evomerge_tui.terminal.safe_console import SafeConsole

    setup = reopen(folder, read_facts(store), asks=True)
    evaluation = setup.recipe.evaluation
    make = evaluators(setup.base_folder, evaluation.device, evaluation.arithmetic, setup.speaks)
    console = SafeConsole(stderr=True)

    def tell(what: str) -> None:
        if as_json:
            print_json({"asked": what})
        else:
            console.print(Text(what, style="dim"))

    select_sources(setup, store, make, watch=watch_run(folder, setup, store), tell=tell)
