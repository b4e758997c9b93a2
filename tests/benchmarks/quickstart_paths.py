"""The quickstart by weights, by paths, and by both: `python tests/benchmarks/quickstart_paths.py [--seed 0]`.

Four runs: paths alone (DFS) and weights then paths (PS + DFS), each with the scales fixed at 1 and free. Parents and the child
of the weights alone (PS) come from the same runs. Prints one Markdown table per precision: the held-out test with 95 %
intervals, paired tests against the best parent and against the child of the weights, and each child's size. `--evaluations`,
`--search`, `--validation` and `--test` make it short, for a quick check.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from evomerge_core.paths.spec import Paths
from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.run_folder.names import WINNER
from evomerge_core.run.setup import create_run
from evomerge_core.run.view.progress import read_progress
from evomerge_core.tasks.spec import Splits
from evomerge_recipes.quickstart.prepare import prepared_recipe
from evomerge_tui.processes.job import work

RUNS = {
    "DFS, W = 1": ("dfs.yaml", "none"),
    "DFS, W free": ("dfs.yaml", "hop"),
    "PS + DFS, W = 1": ("ps_dfs.yaml", "none"),
    "PS + DFS, W free": ("ps_dfs.yaml", "hop"),
}
SPLITS = ("search", "validation", "test")


@dataclass(frozen=True)
class Row:
    """A line of the table: a standing on the test, paired tests where there are any, and the child's size."""

    name: str
    standing: Mapping[str, Any]
    against_parent: Mapping[str, Any] | None = None
    against_weights: Mapping[str, Any] | None = None
    layers: int | None = None
    parameters: int | None = None


def with_scales(recipe: Recipe, scales: str) -> Recipe:
    """The recipe with its paths' scales fixed (`none`) or free (`hop`)."""

    def changed(paths: Paths) -> Paths:
        return Paths.model_validate({**paths.model_dump(exclude_none=True, exclude={"scale"}), "scales": scales})

    if recipe.paths is not None:
        return recipe.model_copy(update={"paths": changed(recipe.paths)})
    stages = [stage.model_copy(update={"paths": changed(stage.paths)}) if stage.paths else stage for stage in recipe.stages]
    return recipe.model_copy(update={"stages": tuple(stages)})


def run(recipe: Recipe, folder: Path, seed: int, evaluations: int | None) -> dict[str, Any]:
    """The result of one run; a run that is there already is continued."""
    if not folder.exists():
        create_run(recipe, out=folder, seed=seed, evaluations=evaluations)
    if work(folder):
        sys.exit(f"{folder}: {read_progress(folder).message}")
    result: dict[str, Any] = json.loads((folder / WINNER / "result.json").read_text(encoding="utf-8"))
    return result


def rows(results: Mapping[str, Mapping[str, Any]], precision: str) -> Iterator[Row]:
    """Parents, the child of the weights, and each run's child."""
    parts = {name: one if precision == one["precision"] else one["confirmed"][precision] for name, one in results.items()}
    both = next(part for part in parts.values() if part["stages"])
    yield from (Row(f"parent: {parent['name']}", parent) for parent in both["parents"])
    yield from (Row(f"uniform weights: {merge['name'].removeprefix('uniform ')}", merge) for merge in both["uniform"])
    yield Row("PS", both["stages"][0])
    for name, part in parts.items():
        weights = part["stages"][0]["name"] if part["stages"] else None
        of_weights = next((comparison for comparison in part["against"] if comparison["against"] == weights), None)
        child = results[name]["child"]
        yield Row(name, part["winner"], part["paired"], of_weights, child["layers"], child["parameters"])


def table(results: Mapping[str, Mapping[str, Any]], precision: str) -> str:
    lines = [
        f"Test accuracy in {precision}, %:",
        "",
        "| model | test | 95 % interval | p against the best parent | p against PS | layers | parameters |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows(results, precision):
        test = row.standing["test"]
        low, high = row.standing["interval"] or (0.0, 0.0)
        shown = ["failed", ""] if test is None else [f"{100 * test:.1f}", f"{100 * low:.0f} to {100 * high:.0f}"]
        paired = ["" if result is None else f"{result['p']:.2g}" for result in (row.against_parent, row.against_weights)]
        size = ["" if row.layers is None else f"{row.layers}", "" if row.parameters is None else f"{row.parameters:,}"]
        lines.append(f"| {' | '.join([row.name, *shown, *paired, *size])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the runs (default: a temporary one); runs in it are continued")
    parser.add_argument("--evaluations", type=int, help="candidates of each stage, instead of the recipes' number")
    for split in SPLITS:
        parser.add_argument(f"--{split}", type=int, help=f"items of {split}, instead of the recipes' number")
    args = parser.parse_args()
    splits = {split: getattr(args, split) for split in SPLITS if getattr(args, split) is not None}
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (file, scales) in RUNS.items():
            recipe = with_scales(prepared_recipe(user_cache_path("evomerge-tui"), file), scales)
            recipe = recipe.model_copy(update={"splits": Splits(**{**recipe.splits.model_dump(), **splits})})
            folder = (args.out or Path(scratch)) / f"{Path(file).stem}-{scales}-seed-{args.seed}"
            results[name] = run(recipe, folder, args.seed, args.evaluations)
            print(f"{name}: {results[name]['verdict']}; {results[name]['winner']['path']['text']}", file=sys.stderr, flush=True)
    first = next(iter(results.values()))
    for precision in (first["precision"], *first["confirmed"]):
        print(table(results, precision), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
