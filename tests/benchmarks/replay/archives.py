"""What an archive is worth: natural niches against CMA-ES, replayed at equal answers on a fitted cross.

    cd tests/benchmarks && python -m replay.archives replay/matrices/quickstart-bf16.jsonl [--seeds 5] [--evaluations 80]

Every search scores as many merges on all of the same 48 items, of which the answers are drawn as `replay.landscape` says, and
ends with 15 merges: those of the archive, or CMA-ES's best 15. The first figure is the true quality of the merge that did best
on the 48 items; the others are of the 15 together on 48 new items, and on the search's own: the share that at least one solves.
The sources' dot products are those measured for the quickstart's adapters: norms 12.0 and 30.2, cosine 0.004.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from evomerge_core.run.population.breed import MUTATION
from evomerge_core.search.cma_es import CmaEs
from evomerge_core.search.population.niches import Niches
from evomerge_core.search.population.population import ask, found, tell
from evomerge_core.search.population.rules import Member
from replay.landscape import World, draw_world, fit_landscape
from replay.matrix import Numbers, read_matrix

ITEMS, SIZE = 48, 15
_NORMS, _COSINE = (12.0, 30.2), 0.004
# A search's genomes and their scores on the search's items, [merges, numbers] and [merges, items]
Kept = tuple[Numbers, Numbers]
Search = Callable[[World, int, int], Kept]


def main() -> None:
    args = _arguments()
    landscape = fit_landscape(read_matrix(args.matrix))
    print("| search | best member, true quality | 15 members together, new items | the search's items |")
    print("| --- | ---: | ---: | ---: |")
    unmoved: Search = partial(by_niches, mutation=0.0)
    searches: dict[str, Search] = {
        "CMA-ES, its best 15": by_cma_es,
        "natural niches": by_niches,
        "natural niches without mutation": unmoved,
        "the best 15 by chance": by_chance,
    }
    for name, search in searches.items():
        figures = []
        for seed in range(args.seeds):
            world = draw_world(landscape, 2 * ITEMS, seed)
            genomes, scores = search(world, seed, args.evaluations)
            best = genomes[int(scores.sum(axis=1).argmax())]
            new = np.array([world.answers(genome, np.arange(ITEMS, 2 * ITEMS))[0] for genome in genomes])
            figures.append((landscape.quality(best[None])[0], new.max(axis=0).mean(), scores.max(axis=0).mean()))
        of = np.array(figures)
        cells = [f"{100 * m:.1f} ± {100 * s:.1f} %" for m, s in zip(of.mean(axis=0), of.std(axis=0), strict=True)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def by_cma_es(world: World, seed: int, evaluations: int) -> Kept:
    """The best that the product's CMA-ES asks for, without races, from the best equal-weight merge."""
    head = world.landscape.head
    start = max(head.uniform, key=lambda genome: _score(world, np.array(genome)).sum())
    search = CmaEs(np.array(head.low), np.array(head.high), np.array(start), population=16, seed=seed)
    genomes: list[Numbers] = [np.array(one) for one in (*head.parents, *head.uniform)]
    scores = [_score(world, genome) for genome in genomes]
    known = len(genomes)
    while len(genomes) - known < evaluations:
        asked = search.ask()
        answered = [_score(world, genome) for genome in asked]
        search.tell([float(one.mean()) for one in answered])
        genomes, scores = genomes + asked, scores + answered
    return _best(genomes[: known + evaluations], scores[: known + evaluations])


def by_niches(world: World, seed: int, evaluations: int, mutation: float = MUTATION) -> Kept:
    """The archive of the product's natural niches, four children a generation."""
    head = world.landscape.head
    cross = _COSINE * _NORMS[0] * _NORMS[1]
    gram = np.tile(np.array([[_NORMS[0] ** 2, cross], [cross, _NORMS[1] ** 2]]) / 4, (4, 1, 1))
    rules = Niches(
        gram, np.ones(ITEMS), SIZE, mutation=mutation * (head.high[0] - head.low[0]), low=head.low[0], high=head.high[0]
    )
    start = [np.array(one) for one in (*head.parents, *head.uniform)]
    members = [Member(number, _coefficients(one), _score(world, one)) for number, one in enumerate(start)]
    population = found(seed, members, rules)
    for number in range(len(start), len(start) + evaluations, 4):
        children = list(enumerate(ask(population, rules, 4), number))
        population = tell(population, rules, children, [_score(world, _genome(one.coefficients)) for _, one in children])
    return np.array([_genome(one.coefficients) for one in population.members]), np.array(
        [one.scores for one in population.members]
    )


def by_chance(world: World, seed: int, evaluations: int) -> Kept:
    """The best of merges drawn evenly, and of the references."""
    head, draw = world.landscape.head, np.random.default_rng(seed)
    drawn = draw.uniform(head.low, head.high, size=(evaluations, len(head.low)))
    genomes = [*(np.array(one) for one in (*head.parents, *head.uniform)), *drawn]
    return _best(genomes, [_score(world, genome) for genome in genomes])


def _best(genomes: list[Numbers], scores: list[Numbers]) -> Kept:
    order = sorted(range(len(genomes)), key=lambda number: -float(scores[number].sum()))[:SIZE]
    return np.array([genomes[number] for number in order]), np.array([scores[number] for number in order])


def _score(world: World, genome: Numbers) -> Numbers:
    return world.answers(genome, np.arange(ITEMS))[0]


def _coefficients(genome: Numbers) -> Numbers:
    return np.asarray(genome.reshape(2, -1).T.copy())


def _genome(coefficients: Numbers) -> Numbers:
    return np.asarray(coefficients.T.ravel().copy())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("matrix", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=80)
    return parser.parse_args()


if __name__ == "__main__":
    main()
