"""How many finalists a final needs, how soon it drops them, and what is luck: `python tests/benchmarks/final_simulation.py`.

    [--runs 400] [--items 48]

No model is asked. A search of 80 candidates is drawn: each has an ability that grows from generation to generation, items have
difficulties, and an answer is right by the logistic of their difference. The candidates are scored on 11 items of their
generation, as in the quickstart's races; the best of them, the search's mean, three equal-weight merges and two parents stand
in the final on the validation items, with the product's own rungs and evidence. Three landscapes: `steep` (few good ones),
`even` (many about as good) and `floor` (all below 20 %).

The first table says, for each number of finalists and error of the final, how far the chosen one's true score is behind that of
the best contender there could be (mean and 90th percentile, in points), and how many answers the final asked. The second one
compares the winner's validation, and what was expected of it, with its score on 200 new items.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evomerge_core.run.generation.luck import expected_score
from evomerge_core.search.racing.evidence import capital
from evomerge_core.search.racing.rungs import rung_sizes

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

SEARCHED, GENERATIONS, RACED, TEST = 80, 8, 11, 200
FINALISTS, ERRORS = (4, 6, 8, 12), (0.0, 0.1, 0.5, 0.75)
_SPREAD_OF_ITEMS = 2.0


@dataclass(frozen=True)
class Landscape:
    """Abilities in logits: of the first generation's mean, its growth up to the last one, their spread within a generation, and
    of the best equal-weight merge."""

    name: str
    first: float
    growth: float
    spread: float
    equal_weights: float


LANDSCAPES = (
    Landscape("steep", -4.0, 3.5, 1.2, -2.5),
    Landscape("even", -0.5, 1.0, 0.4, 0.0),
    Landscape("floor", -7.0, 2.5, 1.0, -5.0),
)


@dataclass(frozen=True)
class Drawn:
    """A search as it came out: the true scores of all that could stand in a final, what the search saw of its candidates, and
    all their answers to the validation and the test."""

    true: Vector
    seen: Vector
    validation: Matrix
    test: Matrix


@dataclass(frozen=True)
class Outcome:
    """A final's end: the winner's true score less the best one's, answers asked, and the winner's scores."""

    behind: float
    asked: int
    validation: float
    expected: float
    test: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400, help="searches drawn in each landscape")
    parser.add_argument("--items", type=int, default=48, help="validation items")
    args = parser.parse_args()
    drawn = {some.name: [draw(some, args.items, seed) for seed in range(args.runs)] for some in LANDSCAPES}
    names = [some.name for some in LANDSCAPES]
    print(f"| finalists | error | {' | '.join(f'{name}: points behind (p90), answers' for name in names)} |")
    print(f"| ---: | ---: | {' | '.join('---:' for _ in names)} |")
    for count in FINALISTS:
        for error in ERRORS:
            cells = [_cell([final(one, count, error) for one in drawn[name]]) for name in names]
            print(f"| {count} | {error or 'none dropped'} | {' | '.join(cells)} |", flush=True)
    print()
    print("| landscape | validation less test, mean | median distance | expected less test, mean | median distance |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in names:
        print(f"| {name} | {_luck([final(one, 8, 0.5) for one in drawn[name]])} |", flush=True)


def draw(landscape: Landscape, items: int, seed: int) -> Drawn:
    """One search and all that could be asked of its candidates: they come first, then the mean, three equal-weight merges and
    two parents."""
    draws = np.random.default_rng(seed)
    generation = np.repeat(np.arange(GENERATIONS), SEARCHED // GENERATIONS)
    level = landscape.first + landscape.growth * generation / (GENERATIONS - 1)
    searched = level + landscape.spread * draws.standard_normal(SEARCHED)
    mean = level[-1] + 0.5 * landscape.spread
    free = landscape.equal_weights - np.array([0.0, 0.5, 1.0])
    abilities = np.concatenate([searched, [mean], free, [-8.0, -8.0]])

    def answers(count: int) -> Matrix:
        difficulties = _SPREAD_OF_ITEMS * draws.standard_normal(count)
        return (draws.random((len(abilities), count)) < _logistic(abilities[:, None] - difficulties)).astype(float)

    raced = {number: answers(RACED) for number in range(GENERATIONS)}
    # what the search saw of a candidate, with a little noise in place of the loss that orders equal scores
    seen = np.array([raced[int(number)][index].mean() for index, number in enumerate(generation)])
    return Drawn(true_scores(abilities), seen + 0.05 * draws.standard_normal(SEARCHED), answers(items), answers(TEST))


def final(drawn: Drawn, count: int, error: float) -> Outcome:
    """The final of `count` finalists, the search's mean being the last of them; nobody is dropped with an error of 0."""
    best = np.argsort(-drawn.seen)[: count - 1]
    contenders = np.array([*best, *range(SEARCHED, len(drawn.true))])
    values, parents = drawn.validation[contenders], 2
    whole, asked = race(values, error)
    able = whole[: len(whole) - parents]
    worth = np.where(able, values[: len(able)].mean(axis=1), -1.0)
    best_of_all = int(np.argmax(worth))
    winner = contenders[best_of_all]
    validation = float(drawn.validation[winner].mean())
    return Outcome(
        behind=float(drawn.true[:-parents].max() - drawn.true[winner]),
        asked=asked,
        validation=validation,
        expected=expected_score(values[: len(able)][able], int(able[:best_of_all].sum())),
        test=float(drawn.test[winner].mean()),
    )


def race(values: Matrix, error: float) -> tuple[NDArray[np.bool_], int]:
    """Who is asked everything, and how many answers that takes."""
    there, asked = np.ones(len(values), dtype=bool), 0
    reached = np.zeros(len(values), dtype=int)
    sizes = rung_sizes(values.shape[1])
    for size, before in zip(sizes, (0, *sizes), strict=False):
        asked += int(there.sum()) * (size - before)
        reached[there] = size
        if error and size < sizes[-1]:
            known = np.where(np.arange(size) < reached[:, None], values[:, :size], np.nan)
            there &= capital(known, known, 1) < 1.0 / error
    return there, asked


def true_scores(abilities: Vector) -> Vector:
    """The share of all possible items that each ability answers correctly."""
    levels = _SPREAD_OF_ITEMS * np.array(list(_normal_quantiles(400)))
    return np.asarray(_logistic(abilities[:, None] - levels).mean(axis=1))


def _normal_quantiles(count: int) -> Iterator[float]:
    from statistics import NormalDist

    normal = NormalDist()
    return (normal.inv_cdf((number + 0.5) / count) for number in range(count))


def _logistic(x: Matrix) -> Matrix:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _cell(outcomes: list[Outcome]) -> str:
    behind = 100 * np.array([one.behind for one in outcomes])
    asked = np.mean([one.asked for one in outcomes])
    return f"{behind.mean():.1f} ({np.quantile(behind, 0.9):.1f}), {asked:.0f}"


def _luck(outcomes: list[Outcome]) -> str:
    before = 100 * np.array([one.validation - one.test for one in outcomes])
    after = 100 * np.array([one.expected - one.test for one in outcomes])
    return " | ".join(f"{some.mean():+.1f} | {np.median(np.abs(some)):.1f}" for some in (before, after))


if __name__ == "__main__":
    main()
