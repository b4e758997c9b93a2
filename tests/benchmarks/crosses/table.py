"""The bench's table: every way to search, on every cross, seed and precision, as whole runs without a screen.

    cd tests/benchmarks && python -m crosses.table quickstart DIR/plain DIR/two-steps --out RESULTS
        [--seeds 10 11 12] [--precisions bf16 nf4] [--ways random full racing] [--evaluations 80]

A cross is a folder that `crosses.make` wrote, or the word quickstart. `random` draws all candidates at once, about evenly
over the box, and scores them on every search item; `full` is the optimiser, scoring on every search item; `racing` is the
recipe as it is. A run's figures go into `RESULTS/outcomes.jsonl` and its folder is removed; a program that is started again
continues where it was. Prints a row for each cross, precision and way: test scores as median and worst seed, how many seeds
are at least the best equal-weight merge, and the tokens that the search's candidates wrote.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quickstart_variants import carry_out, changed, variant
from run_outcome import Outcome, read_outcome

from crosses.recipe_folder import RECIPE
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe

QUICKSTART = "quickstart"
# What a search in few bits comes to is to be seen, whether or not they rank merges as bf16 does.
_IN_FEW_BITS: dict[str, Any] = {"confirm": ("bf16",), "agreement": False}
_IN_BF16: dict[str, Any] = {"confirm": ()}
# A generation that the budget cuts by one teaches the optimiser nothing: its candidates stay drawn. A first step as wide as the
# box is folded back into it by the optimiser, which spreads the draws about evenly.
WAYS: dict[str, Callable[[int], dict[str, Any]]] = {
    "random": lambda evaluations: {"population": evaluations + 1, "sigma": 1.0, "racing": False},
    "full": lambda _: {"racing": False},
    "racing": lambda _: {},
}


@dataclass(frozen=True)
class Done:
    """One run of the table."""

    cross: str
    precision: str
    way: str
    seed: int
    evaluations: int
    outcome: Outcome


def main() -> None:
    args = _arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "outcomes.jsonl"
    known = {(d.cross, d.precision, d.way, d.seed, d.evaluations): d for d in read_done(kept)}
    wanted = [
        (cross, precision, way, seed)
        for seed in args.seeds  # all rows first have one seed, then two
        for cross in args.crosses
        for precision in args.precisions
        for way in args.ways
    ]
    for cross, precision, way, seed in wanted:
        key = (_name(cross), precision, way, seed, args.evaluations)
        if key not in known:
            done = Done(*key, carry_out_one(cross, precision, way, seed, args.evaluations, args.out))
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(done)) + "\n")
            known[key] = done
    chosen = {(_name(cross), precision, way, seed, args.evaluations) for cross, precision, way, seed in wanted}
    print("\n".join(table([done for key, done in known.items() if key in chosen])))


def read_done(file: Path) -> Iterator[Done]:
    """The runs that were finished before, none where there is no file."""
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        data = json.loads(line)
        yield Done(**{**data, "outcome": Outcome(**data["outcome"])})


def carry_out_one(cross: str, precision: str, way: str, seed: int, evaluations: int, out: Path) -> Outcome:
    """One run from its recipe to its verdict; what ships is scored too."""
    recipe = changed(
        open_cross(cross),
        search=WAYS[way](evaluations),
        budget={"evaluations": evaluations, "minutes": None},
        evaluation={"precision": precision, **(_IN_BF16 if precision == "bf16" else _IN_FEW_BITS)},
    )
    folder = out / f"{_name(cross)}-{precision}-{way}-{seed}-{evaluations}"
    carry_out(recipe, folder, seed=seed)
    outcome = read_outcome(folder)
    shutil.rmtree(folder)  # mostly the winner's weights
    return outcome


def open_cross(cross: str) -> Recipe:
    """The recipe of a cross's folder, or the quickstart's."""
    return variant() if cross == QUICKSTART else load_recipe(Path(cross) / RECIPE)


def table(runs: Sequence[Done]) -> list[str]:
    """The Markdown table, a row for each cross, precision and way, and one for the best equal-weight merge."""
    lines = [
        "| cross | searched in | way | seeds | test, median % | worst % | in bf16, median % | at least the merge | p < 0.01 "
        "| less validation, median | declared | tokens, median | of full's |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    places = dict.fromkeys((run.cross, run.precision) for run in runs)
    for cross, precision in places:
        here = [run for run in runs if (run.cross, run.precision) == (cross, precision)]
        merges = [run.outcome.merge for run in here]
        lines.append(f"| {cross} | {precision} | best equal-weight merge | | {_percent(merges)} | | | | | | | | |")
        full = [run.outcome.tokens for run in here if run.way == "full"]
        for way in dict.fromkeys(run.way for run in here):
            lines.append(_row(cross, precision, way, [run.outcome for run in here if run.way == way], full))
    return lines


def _row(cross: str, precision: str, way: str, found: Sequence[Outcome], full: Sequence[int]) -> str:
    tests, tokens = [one.test for one in found], statistics.median(one.tokens for one in found)
    shipped = [one.shipped for one in found if one.shipped is not None]
    falls = [one.test - one.validation for one in found if one.validation is not None]
    columns = [
        cross,
        precision,
        way,
        str(len(found)),
        _percent(tests),
        f"{100 * min(tests):.1f}",
        _percent(shipped) if shipped else "",
        str(sum(one.test >= one.merge for one in found)),
        str(sum(one.beats_merge is not None and one.beats_merge < 0.01 for one in found)),
        f"{100 * statistics.median(falls):+.1f}" if falls else "",
        str(sum(one.declared for one in found)),
        f"{tokens:,.0f}",
        f"{100 * tokens / statistics.median(full):.0f} %" if full else "",
    ]
    return f"| {' | '.join(columns)} |"


def _percent(scores: Sequence[float]) -> str:
    return f"{100 * statistics.median(scores):.1f}"


def _name(cross: str) -> str:
    return QUICKSTART if cross == QUICKSTART else Path(cross).name


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crosses", nargs="+", help="folders of crosses, or quickstart")
    parser.add_argument("--out", type=Path, required=True, help="folder for the outcomes, and for runs while they run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10])
    parser.add_argument("--precisions", nargs="+", default=["bf16"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--evaluations", type=int, default=80, help="candidates of each search")
    return parser.parse_args()


if __name__ == "__main__":
    main()
