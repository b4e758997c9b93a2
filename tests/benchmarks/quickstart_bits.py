"""A quickstart searched in bf16 and in NF4, the child tested in both: `python tests/benchmarks/quickstart_bits.py --out RUNS`.

`--vlm` is the quickstart with pictures. Runs that are there are continued, finished ones read. Prints a Markdown table: test
scores in per cent, and the exact p of the child against the best equal-weight merge on the same items, in each precision.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from quickstart_variants import carry_out, changed

from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.report.content import read_report
from evomerge_recipes.quickstart.prepare import prepared_recipe
from evomerge_recipes.quickstart_vlm.prepare import prepared_recipe as prepared_with_pictures

PRECISIONS = ("bf16", "nf4")
HEAD = (
    "| searched in | seed | scored in | parents | best equal-weight merge | **child** "
    "| 95 % interval | p | winner | validation |\n"
    "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |"
)


def searched_in(precision: str, *, vlm: bool) -> Recipe:
    """The quickstart's recipe, searched in `precision` and confirmed in the other one."""
    cache = user_cache_path("evomerge-tui")
    recipe = prepared_with_pictures(cache) if vlm else prepared_recipe(cache)
    confirm = [other for other in PRECISIONS if other != precision]
    return changed(recipe, evaluation={"precision": precision, "confirm": confirm})


def row(searched: str, seed: int, scored: str, result: Mapping[str, Any]) -> str:
    part = result if scored == result["precision"] else result["confirmed"][scored]
    winner, merge = part["winner"], max(part["uniform"], key=lambda one: one["test"] or 0.0)
    low, high = winner["interval"]
    against = next((one for one in part["against"] if one["against"] == merge["name"]), None)
    p = "itself" if against is None else f"{against['p']:.1g}"
    parents = ", ".join(f"{100 * parent['test']:.1f}" for parent in part["parents"])
    validation = "" if winner.get("validation") is None else f"{100 * winner['validation']:.1f}"
    return (
        f"| {searched} | {seed} | {scored} | {parents} | {100 * merge['test']:.1f} | **{100 * winner['test']:.1f}** "
        f"| {100 * low:.0f} to {100 * high:.0f} | {p} | {winner['name']} | {validation} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--vlm", action="store_true", help="the quickstart with pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    lines = [HEAD]
    for precision in args.precisions:
        for seed in args.seeds:
            folder = args.out / f"{precision}-{seed}"
            seconds = carry_out(searched_in(precision, vlm=args.vlm), folder, seed=seed)
            result = read_report(folder).result
            assert result is not None
            lines += [row(precision, seed, scored, result) for scored in PRECISIONS]
            print(f"{lines[-2]}\n{lines[-1]}\n{folder}: {seconds:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
