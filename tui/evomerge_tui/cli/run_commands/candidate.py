"""`evomerge-tui candidate RUN [NAME]`: one candidate's scores, items won and lost against each reference, and recipe."""

from __future__ import annotations

import argparse
import dataclasses
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evomerge_core.errors import unknown_name
from evomerge_core.visible_text import visible_json
from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from evomerge_core.run.store.records import Candidate
    from evomerge_core.run.store.store import Store


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("candidate", help="show a candidate: its scores, and the recipe that rebuilds it")
    add_run_folder(parser)
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="a label such as g6.4 (default: the winner, or the best so far)"
    )
    add_json(parser)
    parser.set_defaults(command=_candidate)


def _candidate(args: argparse.Namespace) -> int:
    from rich.text import Text

    from evomerge_core.run.run_folder.folder import read_store
    from evomerge_core.run.view.sound_records import sound_records
    from evomerge_tui.terminal.safe_console import SafeConsole

    with sound_records(args.run), closing(read_store(args.run)) as store:
        store.require_sound()
        candidate = _find(store, args.run, args.name)
        facts = _facts(store, candidate) | _meaning(args.run, store, candidate)
        text, shown = visible_json(facts), _scores(facts)
    if args.json:
        print(text)
        return 0
    console = SafeConsole()
    for lines in shown:
        console.print(lines)
    console.print(Text(facts["recipe"]), soft_wrap=True)
    return 0


def _find(store: Store, run: Path, name: str | None) -> Candidate:
    candidates = store.candidates()
    if name is None:
        name = _best(store)
    found = [candidate for candidate in candidates if candidate.label == name]
    if not found:
        raise unknown_name("candidate", name or "", [candidate.label for candidate in candidates], where=run)
    return found[0]


def _best(store: Store) -> str | None:
    from evomerge_core.run.candidate.fitness import best_child
    from evomerge_core.run.store.facts import read_facts

    facts = read_facts(store)
    if facts.winner is not None:
        return store.candidate(facts.winner).label
    best = best_child(store.outcomes(split="search", precision=facts.precision), facts)
    return None if best is None else best.label


def _facts(store: Store, candidate: Candidate) -> dict[str, Any]:
    from evomerge_core.run.store.facts import read_facts
    from evomerge_core.run.verdict.candidate_scores import differences, paired, split_scores
    from evomerge_core.run.view.archive import parents_of

    run_facts = read_facts(store)
    weights, dimensions = run_facts.weights, run_facts.dimensions
    genome = [{**dimension, "value": value} for dimension, value in zip(dimensions, candidate.genome or (), strict=False)]
    against = []
    for split, precision in store.scored_in(candidate.id):
        for other in (*store.candidates("parent"), *store.candidates("uniform")):
            test = paired(differences(store, candidate.id, other.id, split, precision), weights)
            if other.id != candidate.id and test is not None:
                against.append({"against": other.label, "split": split, "precision": precision, **dataclasses.asdict(test)})
    scores = [dataclasses.asdict(score) for score in split_scores(store, candidate.id, weights)]
    parents = parents_of(store, run_facts).get(candidate.label, ())
    return {
        "candidate": candidate.label,
        "kind": candidate.kind,
        "parents": parents,
        "genome": genome,
        "scores": scores,
        "against": against,
    }


def _meaning(run: Path, store: Store, candidate: Candidate) -> dict[str, Any]:
    """The recipe that rebuilds it with `evomerge-tui merge`, and its path if it is one."""
    from evomerge_core.fixed_merge.merge_file import write_fixed_file
    from evomerge_core.paths.layout import lay_out
    from evomerge_core.recipe.load import load_recipe
    from evomerge_core.run.candidate.candidate_merge import child_of, path_candidate
    from evomerge_core.run.reopen import with_chosen_sources
    from evomerge_core.run.run_folder.names import RECIPE
    from evomerge_core.run.setup import prepare
    from evomerge_core.run.store.facts import read_facts

    recipe = load_recipe(run / RECIPE)
    if candidate.kind != "pool":
        recipe = with_chosen_sources(recipe, read_facts(store))
    setup = prepare(recipe, run)
    file = write_fixed_file(child_of(setup, store, candidate))
    path = path_candidate(setup, candidate)
    layout = None if path is None else lay_out(path.path, path.space.pool)
    return {"recipe": file.text, "recipe_file": file.name, "path": layout}


def _scores(facts: dict[str, Any]) -> list[Table | Text]:
    from rich.table import Table
    from rich.text import Text

    from evomerge_tui.text.candidate_names import kind_word
    from evomerge_tui.text.quantities import percent, percent_range

    whose = f" of {' and '.join(facts['parents'])}" if facts["parents"] else ""
    table = Table(title=Text(f"{facts['candidate']} ({kind_word(facts['kind'])}{whose})"), title_justify="left", box=None)
    for column in ("split", "precision", "task", "items", "score", "95 % interval"):
        table.add_column(column)
    for score in facts["scores"]:
        interval = "" if score["interval"] is None else percent_range(*score["interval"], decimals=1)
        outcome = score["failure"] if score["score"] is None else percent(score["score"])
        what = Text(score["task"] or "all")
        table.add_row(score["split"], score["precision"], what, str(score["items"]), Text(outcome), interval)
    shown: list[Table | Text] = [table]
    for test in facts["against"]:
        where = f"against {test['against']} on {test['split']} in {test['precision']}"
        shown.append(Text(f"{where}: {test['wins']} items won, {test['losses']} lost, p = {test['p']:.2g}"))
    return shown
