"""Quality and diversity by task (CycleQD, arXiv 2410.14735): each task in turn is the quality, and the others' scores are the
coordinates of cells. A cell keeps the best that falls into it, so that all combinations of skills stay.

Coefficients take the place of weights: where the authors move a child along the singular directions of its sources' task
vectors, here each of its coefficients moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evomerge_core.search.population.coefficients import moved, without_small
from evomerge_core.search.population.rules import Child, Member, pick, scores_of

# A parent's chance is the product of its quality and coordinates, each scaled to this range among all that may be chosen.
_LOW_CHANCE, _HIGH_CHANCE = 0.5, 1.3
_MIXING = 0.01  # deviation of the parents' shares, whose mean is a half

Cell = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Cells:
    """`tasks` says which task each item belongs to, whole numbers [items]; scores of a task fall into `size` cells of equal
    width between 0 and 1. `mutation`, `least`, `low` and `high` are as those of `Niches`."""

    tasks: NDArray[np.int64]
    size: int
    mutation: float = 0.1
    least: float = 0.01
    low: float = -np.inf
    high: float = np.inf

    def breed(self, members: Sequence[Member], generation: int, draw: np.random.Generator) -> Child:
        quality = generation % self._count
        elite = list(self.archive(members, quality).values())
        chances = elite_chances(self._by_task(elite))
        first = pick(chances, draw)
        second = pick(np.where(np.arange(len(elite)) == first, 0.0, chances), draw) if len(elite) > 1 else first
        shares = draw.normal(1.0, _MIXING, size=2)
        mixed = (shares[0] * elite[first].coefficients + shares[1] * elite[second].coefficients) / shares.sum()
        made = without_small(np.clip(moved(mixed, self.mutation, draw), self.low, self.high), self.least)
        return Child(made, (elite[first].id, elite[second].id))

    def survivors(self, members: Sequence[Member]) -> list[Member]:
        """Those that are the best of a cell where some task is the quality."""
        kept = {one.id for task in range(self._count) for one in self.archive(members, task).values()}
        return [member for member in members if member.id in kept]

    def archive(self, members: Sequence[Member], quality: int) -> dict[Cell, Member]:
        """The best member of each cell by a task; of equals the first."""
        best: dict[Cell, tuple[float, Member]] = {}
        for member, by_task in zip(members, self._by_task(members), strict=True):
            cell = tuple(int(min(self.size - 1, score * self.size)) for score in np.delete(by_task, quality))
            if cell not in best or by_task[quality] > best[cell][0]:
                best[cell] = (float(by_task[quality]), member)
        return {cell: member for cell, (_, member) in best.items()}

    @property
    def _count(self) -> int:
        return int(self.tasks.max()) + 1

    def _by_task(self, members: Sequence[Member]) -> NDArray[np.float64]:
        """Each member's mean score of each task, [members, tasks]."""
        scores = scores_of(members)
        return np.stack([scores[:, self.tasks == task].mean(axis=1) for task in range(self._count)], axis=1)


def elite_chances(by_task: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each member's chance to become a parent, [members]: the product of its scores in all tasks, each scaled to 0.5..1.3
    between the lowest and the highest of all; `by_task` is [members, tasks]."""
    low, width = by_task.min(axis=0), np.ptp(by_task, axis=0)
    scaled = np.where(width > 0.0, (by_task - low) / np.where(width > 0.0, width, 1.0), 1.0)
    return np.asarray((_LOW_CHANCE + (_HIGH_CHANCE - _LOW_CHANCE) * scaled).prod(axis=1))
