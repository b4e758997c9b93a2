"""What workers save, and what Ray costs: the time of one search by the job itself, by one worker and by two, a thread each.

    python tests/benchmarks/worker_scaling.py RECIPE [FOLDER] [--repeats 3] [--evaluations 48]
    python tests/benchmarks/worker_scaling.py --tiny

The ways take turns. Each process has one thread, so that two workers have what one core each can do; a run's start, its
references and its test aren't counted, the search alone is. Stops where a way finds other scores. Prints the processor's name
and a Markdown table: medians, and the least and the most.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from whole_run import carry_out

from evomerge_core.processor import processor_name
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe, Workers
from evomerge_core.run.run_folder.folder import read_store

sys.path.append(str(Path(__file__).parents[1]))
from support.tiny_run import scores, write_recipe

_WAYS: dict[str, Workers | None] = {"the job itself": None, "one worker": 1, "two workers": 2}
_TINY = {
    "splits": {"search": 24, "validation": 8, "test": 10},
    "evaluation": {"precision": "bf16", "device": "cpu"},
    "search": {"population": 8, "racing": {"first": 4, "items": 12, "error": 0.5}},
}


def main() -> None:
    args = _arguments()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        recipe = load_recipe(write_recipe(folder / "models", **_TINY) if args.tiny else args.recipe)
        taken: dict[str, list[float]] = {way: [] for way in _WAYS}
        for repeat in range(args.repeats):
            for way, workers in _WAYS.items():
                run = folder / f"{way.replace(' ', '-')}-{repeat}"
                carry_out(_with(recipe, workers, args.evaluations), run)
                taken[way].append(search_seconds(run))
                if scores(run) != scores(folder / "the-job-itself-0"):
                    raise SystemExit(f"{run}: other scores than by the job itself")
    medians = {way: statistics.median(each) for way, each in taken.items()}
    print(f"{processor_name()}, {args.repeats} searches of {args.evaluations} candidates each way\n")
    print("| scored by | seconds of the search | least to most | times one worker's speed |\n| --- | ---: | --- | ---: |")
    for way, seconds in medians.items():
        spread = f"{min(taken[way]):.1f} to {max(taken[way]):.1f}"
        print(f"| {way} | {seconds:.1f} | {spread} | {medians['one worker'] / seconds:.2f} |")
    print(f"\nOne worker takes {100 * (medians['one worker'] / medians['the job itself'] - 1):.1f} % more than the job itself.")


def search_seconds(run: Path) -> float:
    """From the first generation to the search's end."""
    with closing(read_store(run)) as store:
        events = [(at, kind, data) for _, at, kind, data in store.events()]
    began = next(at for at, kind, data in events if kind == "phase" and data["name"] == "search")
    return next(at for at, kind, _ in events if kind == "search_ended") - began


def _with(recipe: Recipe, workers: Workers | None, evaluations: int) -> Recipe:
    search = recipe.search.model_copy(update={"workers": workers})
    budget = recipe.budget.model_copy(update={"evaluations": evaluations, "minutes": None})
    return recipe.model_copy(update={"search": search, "budget": budget})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, nargs="?")
    parser.add_argument("folder", type=Path, nargs="?", help="keeps the runs, and goes on with them")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=48)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    if (args.recipe is None) != args.tiny:
        parser.error("give a recipe, or --tiny")
    return args


if __name__ == "__main__":
    main()
