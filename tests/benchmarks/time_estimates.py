"""Estimated against actual time of a run, on three recipes: `python tests/benchmarks/time_estimates.py`.

    [--evaluations N] [--test N] [--out DIR]

The quickstart by weights, by paths, and by weights and then paths. What `preflight --measure` says (a rehearsal of one
candidate) is compared with the job's seconds. With `--out`, runs that are there, named after the recipes' files, are read or
continued.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from quickstart_variants import carry_out, variant

from evomerge_quant.planning.measure import measure

RECIPES = {"quickstart": "recipe.yaml", "paths": "dfs.yaml", "weights, then paths": "ps_dfs.yaml"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, help="candidates of each stage, instead of the recipes' number")
    parser.add_argument("--test", type=int, help="held-out items, instead of the recipes' number")
    parser.add_argument("--out", type=Path, help="folder for the runs (default: a temporary one)")
    args = parser.parse_args()
    changes = {
        **({"budget": {"evaluations": args.evaluations}} if args.evaluations else {}),
        **({"splits": {"test": args.test}} if args.test else {}),
    }
    print("| recipe | estimated, min | took, min | estimated / took | rehearsal, s |\n| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as scratch:
        for name, file in RECIPES.items():
            recipe = variant(file, **changes)
            measured = measure(recipe)
            took = carry_out(recipe, (args.out or Path(scratch)) / Path(file).stem)
            row = f"{measured.seconds / 60:.1f} | {took / 60:.1f} | {measured.seconds / took:.2f} | {measured.took:.0f}"
            print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
