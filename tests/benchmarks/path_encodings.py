"""How many evaluations each encoding of paths takes on a problem of known optimum: `python tests/benchmarks/path_encodings.py`.

Two models of 32 layers. The hidden optimum is A's path with a block of B's layers in place of A's, a few layers gone and a few
repeated, drawn anew for each seed; with scales, each of its hops has one as well. A path's score is 1 less its edit distance to
the optimum (a layer of the same depth in the other model counts half), and less what its scales are off. The search of the run
itself (CMA-ES, one population for all) counts evaluations until the optimum's score is reached. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import math
import statistics
from dataclasses import dataclass

import numpy as np
from numba import njit

from evomerge_core.paths.make_space import make_path_space
from evomerge_core.paths.path import Hop, Path, Pool
from evomerge_core.paths.space import PathSpace
from evomerge_core.paths.spec import Paths
from evomerge_core.search.cma_es import CmaEs

POOL = Pool(("A", "B"), 32)
SCALED = "scales free"
CLOSE = 0.02  # of the score: scales are never hit exactly
CASES: dict[str, dict[str, dict[str, object]]] = {
    "scales fixed at 1": {
        "slots": {"encoding": "slots", "scales": "none"},
        "indicator": {"encoding": "indicator", "scales": "none"},
    },
    SCALED: {
        "slots": {"encoding": "slots", "scales": "hop"},
        "indicator, by hop": {"encoding": "indicator", "scales": "hop"},
        "indicator, matrix (the paper's)": {"encoding": "indicator", "scales": "matrix"},
    },
}


@dataclass(frozen=True)
class Problem:
    """A hidden path; `scaled` problems have a hidden scale for each hop too."""

    optimum: Path
    scaled: bool

    def score(self, path: Path) -> float:
        """1 for the optimum, less for all others."""
        return 1.0 - float(_distance(_numbers(path), _numbers(self.optimum), self.scaled)) / len(self.optimum.hops)

    @property
    def wanted(self) -> float:
        """What counts as the optimum's score."""
        return 1.0 - CLOSE if self.scaled else 1.0


def make_problem(seed: int, scaled: bool) -> Problem:
    """A block of 6 of B's layers, 2 of A's layers gone, one visited twice."""
    draw = np.random.default_rng(seed)
    start = int(draw.integers(3, 9))
    gone, twice = np.split(draw.choice(np.arange(16, 30), 3, replace=False), [2])
    layers = []
    for layer in range(32):
        times = 0 if layer in gone else 2 if layer in twice else 1
        layers += [(1 if start <= layer < start + 6 else 0, layer)] * times
    scales = np.clip(draw.normal(1.0, 0.15, len(layers)), 0.6, 1.4) if scaled else np.ones(len(layers))
    scales[0] = 1.0
    return Problem(Path(tuple(Hop(*one, float(scale)) for one, scale in zip(layers, scales, strict=True))), scaled)


def _numbers(path: Path) -> np.ndarray:
    return np.array([(hop.source, hop.layer, hop.scale) for hop in path.hops])


@njit(cache=True)
def _distance(ours, theirs, scaled):  # type: ignore[no-untyped-def]
    costs = np.zeros((len(ours) + 1, len(theirs) + 1))
    costs[:, 0], costs[0, :] = np.arange(len(ours) + 1), np.arange(len(theirs) + 1)
    for i in range(len(ours)):
        for j in range(len(theirs)):
            apart = 0.5 * abs(ours[i, 0] - theirs[j, 0]) + 0.5 * abs(ours[i, 1] - theirs[j, 1])
            if scaled:
                apart += min(0.5, abs(np.log(ours[i, 2] / theirs[j, 2])))
            swap = costs[i, j] + min(1.0, apart)
            costs[i + 1, j + 1] = min(swap, costs[i, j + 1] + 1.0, costs[i + 1, j] + 1.0)
    return costs[-1, -1]


def evaluations(space: PathSpace, problem: Problem, population: int, seed: int, budget: int) -> int | None:
    """Evaluations until the optimum's score; None when the budget is spent before."""
    optimizer = CmaEs(
        space.low,
        space.high,
        space.start,
        steps=space.steps,
        integers=space.integers,
        start_first=True,
        population=population,
        seed=seed,
    )
    done = 0
    while done < budget:
        scores = [problem.score(space.to_path(genome)) for genome in optimizer.ask()]
        for score in scores:
            done += 1
            if score >= problem.wanted:
                return done
        optimizer.tell(scores)
    return None


def row(name: str, space: PathSpace, found: list[int | None]) -> str:
    reached = [value for value in found if value is not None]
    middle = statistics.median(math.inf if value is None else value for value in found)
    shown = "not reached" if math.isinf(middle) else f"{middle:,.0f}"
    worst = f"{max(reached):,}" if len(reached) == len(found) else "not reached"
    return f"| {name} | {space.dimension:,} | {len(reached)} of {len(found)} | {shown} | {worst} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, default=12_800, help="evaluations (the paper's: 12,800)")
    parser.add_argument("--population", type=int, default=64)
    args = parser.parse_args()
    problems = [make_problem(seed, scaled) for seed in range(args.seeds) for scaled in (False, True)]
    for case, encodings in CASES.items():
        print(f"{case}, population {args.population}, at most {args.budget:,} evaluations:", end="\n\n", flush=True)
        print("| encoding | numbers | reached | median evaluations | most |\n| --- | ---: | ---: | ---: | ---: |")
        for name, settings in encodings.items():
            space = make_path_space(Paths.model_validate(settings), POOL, None)
            own = [problem for problem in problems if problem.scaled == (case == SCALED)]
            found = [evaluations(space, one, args.population, seed, args.budget) for seed, one in enumerate(own)]
            print(row(name, space, found), flush=True)
        print()


if __name__ == "__main__":
    main()
