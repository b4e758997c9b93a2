"""The time foretold before a run against what it took, on three recipes: `python tests/benchmarks/time_estimates.py`.

    [--evaluations 64] [--test 200] [--out DIR]

The quickstart, the quickstart with everybody scored on everything, and DARE-TIES with one weight and density a source. What
`preflight --measure` says (a rehearsal of one candidate) is compared with the job's seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from quickstart_variants import carry_out, variant

from evomerge_quant.planning.measure import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=64)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--out", type=Path, help="folder for the runs (default: a temporary one)")
    args = parser.parse_args()
    budget, splits = {"evaluations": args.evaluations}, {"test": args.test}
    recipes: dict[str, dict[str, Any]] = {
        "quickstart": {},
        "quickstart, racing off": {"search": {"racing": False}},
        "DARE-TIES, nf4 only": {
            "search_space": {"preset": "paper"},
            "splits": {**splits, "search": 48},
            "evaluation": {"confirm": ()},
        },
    }
    print("| recipe | foretold, min | took, min | foretold / took | rehearsal, s |\n| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, changes) in enumerate(recipes.items()):
            recipe = variant(**{"budget": budget, "splits": splits, **changes})
            measured = measure(recipe)
            took = carry_out(recipe, (args.out or Path(scratch)) / f"run-{number}")
            row = f"{measured.seconds / 60:.1f} | {took / 60:.1f} | {measured.seconds / took:.2f} | {measured.took:.0f}"
            print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
