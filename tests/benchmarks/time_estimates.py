"""The time foretold before a run against what it took, on three recipes: `python tests/benchmarks/time_estimates.py`.

    [--evaluations 64] [--test 200] [--out DIR]

The quickstart, the quickstart with everybody scored on everything, and DARE-TIES with one weight and density a source. What
`preflight --measure` says (a rehearsal of one candidate) is compared with the job's seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from quickstart_variants import carry_out, variant

from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.absolute_paths import with_absolute_paths
from evomerge_core.run.rehearsal import foretell_run, rehearse
from evomerge_core.run.setup import prepare
from evomerge_quant.resident.model import build


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
            foretold, rehearsal = foretell(recipe, Path(scratch))
            took = carry_out(recipe, (args.out or Path(scratch)) / f"run-{number}")
            print(f"| {name} | {foretold / 60:.1f} | {took / 60:.1f} | {foretold / took:.2f} | {rehearsal:.0f} |", flush=True)


def foretell(recipe: Recipe, folder: Path) -> tuple[float, float]:
    """The run's seconds as foretold, and those that the telling took."""
    started = time.perf_counter()
    setup = prepare(with_absolute_paths(recipe), folder)

    def make(precision: Any, layers: Any, batch_size: int | None) -> Any:
        return build(setup.base_folder, precision=precision, device="auto", layers=layers, batch_size=batch_size)

    ready = time.perf_counter() - started
    parts = foretell_run(setup, rehearse(setup, make))
    # the job opens and checks the models once more
    return ready + sum(part.seconds for part in parts.values()), time.perf_counter() - started


if __name__ == "__main__":
    main()
