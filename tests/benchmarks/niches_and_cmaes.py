"""An archive against one best merge on the quickstart's two-skill task: `python tests/benchmarks/niches_and_cmaes.py OUT`.

    [--seeds 0 1 2 3 4] [--evaluations 80] [--members 15] [--tiny]

For each seed natural niches breed so many children, all of whom answer all of the search's items; then CMA-ES has as many
candidates as give as many answers, since it asks most of them few. The tokens of both are in the table. The archive's members,
and as many of the best that CMA-ES found, are then asked the test's items, which counts for neither: what one of them solves is
covered. `best` is the winner that each run chose, on the same items. Runs stay in OUT, and so does what was asked of members, a
file for each seed and search: what is there isn't done again. A run that was begun goes on.

`--tiny` does the same with random models of two layers, to see that it works.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from whole_run import answers_and_tokens, carry_out, tiny_recipe

from evomerge_core.recipe.schema import Recipe, SearchSettings
from evomerge_core.run.candidate.candidate_loader import CandidateLoader
from evomerge_core.run.candidate.scoring import score_candidate
from evomerge_core.run.generation.finalists import best_of_search
from evomerge_core.run.reopen import reopen
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_quant.planning.workload import workload
from evomerge_quant.resident.model import evaluators
from evomerge_recipes.quickstart.prepare import prepared_recipe
from evomerge_tui.user.user_paths import cache_folder

Search = Literal["niches", "cma-es"]


def recipe_of(base: Recipe, search: Search, seed: int, evaluations: int, members: int) -> Recipe:
    """The recipe of one seed's search; CMA-ES has as many more candidates as it asks fewer items of each."""
    splits = base.splits.model_copy(update={"seed": seed})
    evaluation = base.evaluation.model_copy(update={"confirm": (), "device": "cpu"})
    settings = {"algorithm": search, "archive": members} if search == "niches" else base.search.model_dump(exclude_none=True)
    changes: dict[str, Any] = {"seed": seed, "splits": splits, "evaluation": evaluation}
    recipe = base.model_copy(update={**changes, "search": SearchSettings.model_validate(settings)})
    if search == "cma-es":
        asked = workload(recipe, "cpu")
        evaluations = round(evaluations * asked.search_items / asked.searched_items)
    return recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"evaluations": evaluations})})


def asked_the_test(folder: Path, kept: Path, members: int) -> dict[str, list[float]]:
    """What the archive's members, or the best of the search, score on each of the test's items, by label."""
    if not kept.exists():
        with closing(open_store(folder)) as store:
            setup = reopen(folder, read_facts(store))
            evaluation = setup.recipe.evaluation
            make = evaluators(setup.base_folder, evaluation.device, evaluation.arithmetic, setup.speaks)
            loader = CandidateLoader(setup, store, make)
            found = {one.label: _scores(setup, loader, one) for one in _members(setup, store, members)}
        kept.write_text(json.dumps(found))
    known: dict[str, list[float]] = json.loads(kept.read_text())
    return known


def _members(setup: Setup, store: Store, members: int) -> list[Candidate]:
    archives = read_facts(store).archives
    if archives:
        return [store.candidate(one) for one in archives[-1][1:]]
    return best_of_search(setup.plan, setup.stages[-1], store, members)


def _scores(setup: Setup, loader: CandidateLoader, candidate: Candidate) -> list[float]:
    precision = setup.plan.precision
    _, items = score_candidate(setup.plan, loader.slot(candidate, "test", precision), "test")
    return [item.value for item in items]


def row(seed: int, search: Search, folder: Path, result: Any, by_member: dict[str, list[float]]) -> str:
    """One line of the table."""
    rows = [scores for scores in by_member.values() if scores]
    items = len(rows[0])
    covered = sum(max(one[item] for one in rows) for item in range(items)) / items
    best_member = max(sum(one) / items for one in rows)
    answers, tokens = answers_and_tokens(folder, frozenset({"search"}))
    figures = f"{100 * covered:.1f} | {100 * best_member:.1f} | {100 * (result['winner']['test'] or 0.0):.1f}"
    return f"| {seed} | {search} | {result['evaluations']} | {answers:,} | {tokens:,} | {len(rows)} | {figures} |"


def compare(base: Recipe, out: Path, seeds: Sequence[int], evaluations: int, members: int) -> None:
    """Prints the table, a line as soon as it is known."""
    print("| seed | search | candidates | answers | tokens | members | covered together, % | best of them, % | best, % |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    searches: tuple[Search, ...] = ("niches", "cma-es")
    for seed in seeds:
        for search in searches:
            folder = out / f"{search}-{seed}"
            result = carry_out(recipe_of(base, search, seed, evaluations, members), folder)
            by_member = asked_the_test(folder, out / f"{search}-{seed}.json", members)
            print(row(seed, search, folder, result, by_member), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--evaluations", type=int, default=80)
    parser.add_argument("--members", type=int, default=15)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    base = tiny_recipe(args.out / "tiny") if args.tiny else prepared_recipe(cache_folder())
    compare(base, args.out, args.seeds, args.evaluations, args.members)


if __name__ == "__main__":
    main()
