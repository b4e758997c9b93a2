"""Natural niches on digits: `python tests/benchmarks/niches_digits.py [SEEDS] [PASSES]` (needs scikit-learn; minutes on a CPU).

The public experiment of M2N2 (SakanaAI/natural_niches) breeds two networks that know half of the digits each into one that
knows all. Here their search is written out as their code has it, on flat vectors of weights, and runs beside the product's,
which knows coefficients and dot products only: an archive of 20, one child a pass. The networks are smaller, as are the images
(scikit-learn's 8 x 8 digits instead of MNIST), so that the curves are compared with each other and not with published ones.
Where the search splits is the one thing that differs: theirs between any two weights, ours between neurons.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from evomerge_core.search.population.niches import Niches
from evomerge_core.search.population.population import ask, found, tell
from evomerge_core.search.population.rules import Member

HIDDEN, SIZE = 24, 20
SHOWN = (10, 30, 100, 300, 1000, 3000)
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Digits:
    """Images [n, 65] with a 1 in front, and what they show, for the search and for the test."""

    images: Array
    labels: NDArray[np.int64]
    test_images: Array
    test_labels: NDArray[np.int64]


def load() -> Digits:
    """Two thirds of scikit-learn's digits for training and the search, the rest for the test."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    images, labels = load_digits(return_X_y=True)
    images = np.concatenate([np.ones((len(images), 1)), images / 16.0], axis=1)
    order = np.random.default_rng(0).permutation(len(images))
    search, test = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]
    return Digits(images[search], labels[search], images[test], labels[test])


def parents(digits: Digits) -> list[Array]:
    """Two networks trained from one start, each on half of the digits, as flat vectors; a neuron's weights lie together."""
    torch.manual_seed(0)
    start = [torch.randn(HIDDEN, 65) * 0.1, torch.randn(10, HIDDEN + 1) * 0.1]
    return [_trained(start, digits, digits.labels // 5 == half) for half in (0, 1)]


def _trained(start: list[torch.Tensor], digits: Digits, some: NDArray[np.bool_]) -> Array:
    weights = [layer.clone().requires_grad_() for layer in start]
    images, labels = torch.tensor(digits.images[some], dtype=torch.float32), torch.tensor(digits.labels[some])
    optimizer = torch.optim.Adam(weights, lr=0.01)
    for _ in range(150):
        hidden = torch.relu(images @ weights[0].t())
        logits = torch.cat([torch.ones(len(hidden), 1), hidden], dim=1) @ weights[1].t()
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return np.concatenate([layer.detach().double().numpy().ravel() for layer in weights])


def solved(weights: Array, images: Array, labels: NDArray[np.int64]) -> Array:
    """1 for each image whose digit the network says, [images]."""
    first, second = weights[: HIDDEN * 65].reshape(HIDDEN, 65), weights[HIDDEN * 65 :].reshape(10, HIDDEN + 1)
    hidden = np.maximum(0.0, images @ first.T)
    return np.asarray((second[:, 0] + hidden @ second[:, 1:].T).argmax(axis=1) == labels, dtype=np.float64)


def ours(digits: Digits, sources: list[Array], seed: int, passes: int, *, niches: bool) -> Iterator[tuple[Array, Array]]:
    """The archive's weights and scores after each pass of the product's search: a group is a neuron's weights."""
    sizes = [65] * HIDDEN + [HIDDEN + 1] * 10
    groups = np.split(np.array(sources), np.cumsum(sizes)[:-1], axis=1)
    gram = np.array([group @ group.T for group in groups])

    def built(coefficients: Array) -> Array:
        return np.concatenate([row @ group for row, group in zip(coefficients, groups, strict=True)])

    power = 1.0 if niches else 0.0
    rules = Niches(gram, np.ones(len(digits.labels)), SIZE, competition=power, attraction=niches, least=0.0)
    alone = [np.tile(row, (len(sizes), 1)) for row in np.eye(2)]
    weights = dict(enumerate(sources))
    start = [Member(i, one, solved(weights[i], digits.images, digits.labels)) for i, one in enumerate(alone)]
    population = found(seed, start, rules)
    for number in range(2, passes + 2):
        (child,) = ask(population, rules, 1)
        weights[number] = built(child.coefficients)
        scores = solved(weights[number], digits.images, digits.labels)
        population = tell(population, rules, [(number, child)], [scores])
        yield np.array([weights[one.id] for one in population.members]), np.array([one.scores for one in population.members])


def theirs(digits: Digits, sources: list[Array], seed: int, passes: int, *, niches: bool) -> Iterator[tuple[Array, Array]]:
    """The same after each pass of natural_niches' own steps (its `main.py` and `helper_fn.py`, in numpy)."""
    draw, power = np.random.default_rng([seed, 1]), 1.0 if niches else 0.0
    archive = np.array(sources)
    scores = np.array([solved(one, digits.images, digits.labels) for one in sources])

    def food(of: Array) -> Array:
        sums = of.sum(axis=0) ** power
        return np.asarray(of / np.where(sums, sums, 1.0))

    for _ in range(passes):
        share = food(scores)
        chances = share.sum(axis=1) / share.sum()
        first = draw.choice(len(archive), p=chances)
        if niches:
            match = np.maximum(0.0, share - share[first]).sum(axis=1)
            chances = match / match.sum() if match.sum() else chances
        one, other = archive[first], archive[draw.choice(len(archive), p=chances)]
        split, weight = draw.integers(len(one)), draw.random()
        before, after = _slerp(weight, one, other), _slerp(1.0 - weight, one, other)
        child = np.where(np.arange(len(one)) < split, before, after)
        archive = np.concatenate([archive, child[None]])
        scores = np.concatenate([scores, solved(child, digits.images, digits.labels)[None]])
        if len(archive) > SIZE:
            worst = food(scores).sum(axis=1).argmin()
            archive, scores = np.delete(archive, worst, axis=0), np.delete(scores, worst, axis=0)
        yield archive, scores


def _slerp(share: float, one: Array, other: Array) -> Array:
    angle = np.arccos(np.clip(one @ other / np.linalg.norm(one) / np.linalg.norm(other), -1.0, 1.0))
    if np.sin(angle) < 1e-8:
        return (1.0 - share) * one + share * other
    return np.asarray((np.sin((1.0 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle))


Search = Callable[..., Iterator[tuple[Array, Array]]]


def curve(search: Search, digits: Digits, sources: list[Array], seed: int, passes: int, *, niches: bool) -> list[float]:
    """Test accuracy of the archive's best member by the search's items, after each of the passes that are shown."""
    shown = []
    for number, (weights, scores) in enumerate(search(digits, sources, seed, passes, niches=niches), 1):
        if number in SHOWN:
            best = weights[int(scores.sum(axis=1).argmax())]
            shown.append(float(solved(best, digits.test_images, digits.test_labels).mean()))
    return shown


def main() -> None:
    seeds, passes = (int(word) for word in (sys.argv[1:] + ["10", "1000"][len(sys.argv) - 1 :]))
    digits = load()
    sources = parents(digits)
    alone = ", ".join(f"{100 * solved(one, digits.test_images, digits.test_labels).mean():.1f} %" for one in sources)
    average = solved((sources[0] + sources[1]) / 2, digits.test_images, digits.test_labels).mean()
    print(f"{len(digits.labels)} digits to search on, {len(digits.test_labels)} to test; parents {alone}, ", end="")
    print(f"their mean {100 * average:.1f} %; {seeds} seeds, mean and standard deviation of the best member's test accuracy\n")
    print("| search | code | " + " | ".join(f"{number} passes" for number in SHOWN if number <= passes) + " |")
    print("| --- | --- |" + " ---: |" * sum(number <= passes for number in SHOWN))
    for niches, name in ((True, "natural niches"), (False, "genetic algorithm")):
        for search, code in ((theirs, "theirs, on weights"), (ours, "ours, on coefficients")):
            found_curves = np.array([curve(search, digits, sources, seed, passes, niches=niches) for seed in range(seeds)])
            cells = [f"{100 * m:.1f} ± {100 * s:.1f} %" for m, s in zip(found_curves.mean(0), found_curves.std(0), strict=True)]
            print(f"| {name} | {code} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
