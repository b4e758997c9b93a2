"""Racing against scoring every candidate on every item, on the quickstart: `python tests/benchmarks/racing_vs_full.py`.

    [--seeds 0 1 2 3 4] [--evaluations 80] [--test 200] [--out DIR]

`full` scores each of the search's candidates on all 48 search items, `raced` is the quickstart as it is: as many candidates,
on a few items each. Tokens are those that the search's candidates wrote; references, validation and test cost both the
same. Prints one table of the seeds, one of medians and ranges. With `--out`, runs that are there are read or continued:
`quickstart_seeds.py`'s, named `raced-SEED`, save half of the time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from quickstart_variants import carry_out, variant
from run_outcome import read_outcome

from evomerge_core.recipe.schema import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--evaluations", type=int, default=80, help="candidates")
    parser.add_argument("--test", type=int, default=200, help="held-out items")
    parser.add_argument("--out", type=Path, help="folder for the runs (default: a temporary one)")
    args = parser.parse_args()
    ways = {"full": False, "raced": True}
    with tempfile.TemporaryDirectory() as scratch:
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        print("| seed | way | search tokens | of full | test, % | 95 % interval | minutes |")
        print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
        for seed in args.seeds:
            for way, racing in ways.items():
                budget = {"evaluations": args.evaluations}
                recipe = variant(search={"racing": racing}, budget=budget, splits={"test": args.test})
                found[way].append(one_run(recipe, (args.out or Path(scratch)) / f"{way}-{seed}", seed))
                _row(seed, way, found[way][-1], found["full"][-1])
        print()
        summary(found)


def one_run(recipe: Recipe, folder: Path, seed: int) -> dict[str, float]:
    """A run's figures: tokens of its search, score and interval on the test, minutes of the whole job."""
    seconds = carry_out(recipe, folder, seed=seed)
    outcome = read_outcome(folder)
    print(f"{folder.name}: {100 * outcome.test:.1f} %", file=sys.stderr, flush=True)
    figures = {"tokens": outcome.tokens, "test": outcome.test, "low": outcome.low, "high": outcome.high}
    return {**figures, "minutes": seconds / 60}


def _row(seed: int, way: str, one: dict[str, float], full: dict[str, float]) -> None:
    print(
        f"| {seed} | {way} | {one['tokens']:,.0f} | {100 * one['tokens'] / full['tokens']:.1f} % | {100 * one['test']:.1f} "
        f"| {100 * one['low']:.0f} to {100 * one['high']:.0f} | {one['minutes']:.1f} |",
        flush=True,
    )


def summary(found: dict[str, list[dict[str, float]]]) -> None:
    """Medians with ranges, and how far each way's test scores are from full's, seed by seed."""
    print("| way | search tokens | of full | test, % | less full's, points | minutes |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    full = found["full"]
    for way, runs in found.items():
        shares = [100 * one["tokens"] / other["tokens"] for one, other in zip(runs, full, strict=True)]
        apart = [100 * (one["test"] - other["test"]) for one, other in zip(runs, full, strict=True)]
        columns = [
            spread([run["tokens"] for run in runs], ",.0f"),
            spread(shares, ".1f") + " %",
            spread([100 * run["test"] for run in runs], ".1f"),
            spread(apart, "+.1f"),
            spread([run["minutes"] for run in runs], ".1f"),
        ]
        print(f"| {way} | {' | '.join(columns)} |")


def spread(values: Sequence[float], form: str) -> str:
    """Median (least to most)."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
