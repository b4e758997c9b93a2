"""What a matrix of scores says of a cross: how good any merge is, and how merges answer items alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from replay.abilities import chance, fit_abilities
from replay.matrix import Head, Indices, Matrix, Numbers
from replay.surface import Surface, fit_surface

_FEATURES = 64  # cosines that stand for a smooth random function


@dataclass(frozen=True)
class Landscape:
    """A cross without its models. `ability` and `log_loss` (the logarithm of nats per token: a broken merge's loss is many
    times a good one's) are functions of the genome; `difficulty` and `loss_offset` [items] what each item adds.

    What is left of an answer's luck is an item's own: `shared` of its variance is a smooth function of the genome, so that
    near merges answer alike, with the length `reach` (a share of the range); the rest differs from merge to merge. An answer
    that is right by luck has a loss lower by `loss_slope`; what is left of the loss has the standard deviation `loss_noise`.
    """

    head: Head
    ability: Surface
    log_loss: Surface
    difficulty: Numbers
    loss_offset: Numbers
    shared: float
    reach: float
    loss_slope: float
    loss_noise: float

    def quality(self, genomes: Numbers) -> Numbers:
        """The share of right answers on endless items like the known ones, of `genomes` [many, numbers]."""
        return chance(self.ability(genomes)[:, None], self.difficulty).mean(axis=1)


def fit_landscape(matrix: Matrix) -> Landscape:
    """The landscape of a matrix."""
    head, width = matrix.head, np.array(matrix.head.high) - np.array(matrix.head.low)
    fitted = fit_abilities(matrix.right)
    offset = matrix.losses.mean(axis=0) - matrix.losses.mean()
    mean_loss = (matrix.losses - offset).mean(axis=1)
    likely = chance(fitted.ability[:, None], fitted.difficulty)
    luck, rest = matrix.right - likely, matrix.losses - offset - mean_loss[:, None]
    slope = -float((luck * rest).sum() / max((luck**2).sum(), 1e-12))
    shared, reach = _likeness_of_luck(luck, np.sqrt(likely * (1 - likely)), matrix.genomes / width)
    return Landscape(
        head=head,
        ability=fit_surface(matrix.genomes, fitted.ability, fitted.error, width),
        log_loss=fit_surface(matrix.genomes, np.log(mean_loss), np.full(len(mean_loss), 0.01), width),
        difficulty=fitted.difficulty,
        loss_offset=offset,
        shared=shared,
        reach=reach,
        loss_slope=slope,
        loss_noise=float((rest + slope * luck).std()),
    )


def _likeness_of_luck(luck: Numbers, spread: Numbers, genomes: Numbers) -> tuple[float, float]:
    """How much of the luck near merges share, and how far it reaches: a least-squares fit of `shared` exp(-d^2 / 2 reach^2) to
    the correlation of two merges' luck over the items, with d the root mean square difference of their genomes.

    `spread` [merges, items] are the standard deviations of the luck; a pair counts by theirs: a merge that is always wrong says
    nothing. Right and wrong are less alike than what stands behind them, for even chances by 2/pi of the arcsine (Sheppard
    1899).
    """
    one, other = np.triu_indices(len(luck), k=1)
    apart = np.sqrt(((genomes[one] - genomes[other]) ** 2).mean(axis=1))
    told = (spread @ spread.T)[one, other]
    alike = np.sin(np.pi / 2 * np.clip((luck @ luck.T)[one, other] / told, -1.0, 1.0))

    def cost(numbers: Numbers) -> float:
        return float((told * (alike - numbers[0] * np.exp(-0.5 * (apart / numbers[1]) ** 2)) ** 2).mean())

    shared, reach = minimize(cost, [0.5, 0.2], method="L-BFGS-B", bounds=[(0.0, 1.0), (0.02, 2.0)]).x
    return float(shared), float(reach)


@dataclass(frozen=True)
class World:
    """One draw of items with their luck, for one replay: `items` are numbers of the landscape's, drawn with repetition."""

    landscape: Landscape
    items: Indices
    frequencies: Numbers
    phases: Numbers
    seed: int

    def answers(self, genome: Numbers, asked: Indices) -> tuple[Numbers, Numbers]:
        """Of each asked item (numbers from 0) whether the merge answers it correctly (0 or 1), and the correct answer's loss.

        The same merge gives the same answers each time.
        """
        of, kinds = self.landscape, self.items[asked]
        width = np.array(of.head.high) - np.array(of.head.low)
        waves = np.cos((genome / width) @ self.frequencies + self.phases[:, asked])
        smooth = np.sqrt(2 / _FEATURES) * waves.sum(axis=2)
        draws = np.random.default_rng([self.seed, *genome.view(np.uint32)])
        rough = draws.normal(size=len(self.items))[asked]
        lead = of.ability(genome[None])[0] - of.difficulty[kinds]
        right = (lead + np.sqrt(of.shared) * smooth[0] + np.sqrt(1 - of.shared) * rough > 0).astype(float)
        luck = right - chance(lead, np.zeros(1))
        level = np.exp(of.log_loss(genome[None])[0])
        loss = level + of.loss_offset[kinds] - of.loss_slope * luck + of.loss_noise * smooth[1]
        return right, np.maximum(loss, 0.0)


def draw_world(landscape: Landscape, count: int, seed: int) -> World:
    """`count` items, each with random functions of the genome for its answers' and its losses' luck.

    A sum of cosines with normal frequencies and even phases is a draw from a Gaussian process (Rahimi and Recht 2007).
    """
    draws = np.random.default_rng(seed)
    numbers = len(landscape.head.low)
    return World(
        landscape,
        draws.integers(len(landscape.difficulty), size=count),
        draws.normal(size=(numbers, _FEATURES)) / (landscape.reach * np.sqrt(numbers)),
        draws.uniform(0, 2 * np.pi, size=(2, count, _FEATURES)),
        seed,
    )
