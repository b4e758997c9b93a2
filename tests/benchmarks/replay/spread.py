"""Which merges are scored: those of a person, some from the whole box, and some where a search would look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evomerge_core.genome.space import Space
from replay.matrix import Numbers, Row

_LINE = (0.25, 0.5, 0.625, 0.75, 0.875, 1.0, 1.25, 1.5)
_BEST = 3
_WIDE, _NARROW = 1 / 6, 1 / 12  # of the range: a search's first step, and a later one


def next_genome(space: Space, known: Sequence[Row], seed: int) -> Numbers:
    """The genome of the merge after those that are `known`; the same for the same rows and seed.

    First equal weights and each source alone; then in turn one from the whole box, one around the start, and two around the
    best so far, by score and then by loss.
    """
    fixed = [space.uniform(weight) for weight in _LINE] + alone(space)
    number = len(known)
    if number < len(fixed):
        return fixed[number]
    draws = np.random.default_rng([seed, number])
    low, high = space.low, space.high
    turn = (number - len(fixed)) % 4
    if turn == 0:
        return draws.uniform(low, high)
    centre, step = (space.start, _WIDE) if turn == 1 else (_good(known, draws), _NARROW if turn == 2 else _WIDE)
    return np.clip(draws.normal(centre, step * (high - low)), low, high)


def alone(space: Space) -> list[Numbers]:
    """The parents: each source at weight 1, the others at 0."""
    weighed = [dimension.source if dimension.parameter == "weight" else None for dimension in space.dimensions]
    sources = dict.fromkeys(source for source in weighed if source is not None)
    return [space.uniform(1.0) * [of in (source, None) for of in weighed] for source in sources]


def _good(known: Sequence[Row], draws: np.random.Generator) -> Numbers:
    """One of the best so far."""
    best = sorted(known, key=lambda row: (-np.mean(row.right), np.mean(row.losses)))[:_BEST]
    return np.array(best[draws.integers(len(best))].genome)
