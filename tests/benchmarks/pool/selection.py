"""Who is chosen from a pool in which two of ten adapters are of use: `python -m pool.selection OUT --seeds 0 1 2`.

Prints the table of docs/measured.md. A seed draws the useless adapters, the items and the races; its results stay in OUT, and
what is there isn't done again. One to two minutes a seed on an idle core; no search.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from evomerge_core.recipe.schema import Recipe, SourceSpec
from evomerge_core.run.reopen import reopen
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.selection.select_sources import select_sources
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.view.pool import Selection, read_selection
from evomerge_quant.resident.model import evaluators
from evomerge_recipes.quickstart.prepare import prepared_recipe
from evomerge_tui.user.user_paths import cache_folder
from pool.decoys import USEFUL, make_pool, train_decoys


def pool_recipe(out: Path, seed: int) -> Recipe:
    """The quickstart's recipe with a seed's pool in place of its sources."""
    recipe = prepared_recipe(cache_folder())
    train_decoys(Path(recipe.base), out / "trained")
    pool = (SourceSpec.model_validate(str(make_pool(out / "trained", out / f"pool-{seed}", seed))),)
    splits = recipe.splits.model_copy(update={"seed": seed})
    evaluation = recipe.evaluation.model_copy(update={"precision": "bf16", "confirm": (), "device": "cpu"})
    changes = {"pool": pool, "sources": pool, "seed": seed, "splits": splits, "evaluation": evaluation}
    return recipe.model_copy(update=changes)


def select(out: Path, seed: int) -> Selection:
    """The choice of a seed, made or found."""
    folder = out / f"selection-{seed}"
    if not folder.exists():
        create_run(pool_recipe(out, seed), out=folder)
    store = open_store(folder)
    if read_facts(store).pool is None:
        setup = reopen(folder, read_facts(store))
        evaluation = setup.recipe.evaluation
        make = evaluators(setup.base_folder, evaluation.device, evaluation.arithmetic, setup.speaks)
        select_sources(setup, store, make, since=time.perf_counter())
    selection = read_selection(read_facts(store).pool)
    seconds = read_facts(store).active_seconds
    store.close()
    assert selection is not None
    found = "yes" if set(USEFUL) == set(selection.taken) else "with others" if set(USEFUL) <= set(selection.taken) else "no"
    print(f"| {seed} | {found} | {', '.join(selection.taken)} | {100 * (selection.score or 0):.1f} % "
          f"| {selection.answers} | {selection.tokens:,} | {seconds:.0f} |", flush=True)  # fmt: skip
    return selection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    args = parser.parse_args()
    print("| seed | both found | chosen | score of the set | answers | tokens | seconds |")
    print("| ---: | --- | --- | ---: | ---: | ---: | ---: |")
    for seed in args.seeds:
        select(args.out, seed)


if __name__ == "__main__":
    main()
