"""The paper's encoding: all layers laid out several times, an indicator for each slot, scales by pair of layers or by slot.

arXiv 2403.13187, data-flow space: slot t is used when its indicator is above 0; the input of layer j that comes from layer i
is multiplied by W_ij. A's first and last layers are the ends of every path, and A's own path is where the search starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from evomerge_core.files.fields import ParameterRange
from evomerge_core.genome.dimension import Dimension, Vector
from evomerge_core.paths.path import Hop, Path, require_ends
from evomerge_core.paths.space import USUAL_SIGMA, PathSpace, border, not_from_here, scale_dimension


@dataclass(frozen=True)
class IndicatorSpace(PathSpace):
    """Vectors of T = repeats x M indicators in [-1, 1], and then of scales in `limits`.

    `limits` None: no scales. With `matrix` the scales are the M x M matrix, row by row ([from, to]); else one for each slot and
    one for A's last layer. Of more indicators above 0 than `longest` - 2 the largest count.
    """

    repeats: int
    limits: ParameterRange | None
    matrix: bool
    longest: int

    @property
    def most_layers(self) -> int:
        return min(self.longest, self.slots + 2)

    @property
    def slots(self) -> int:
        """How many layers are laid out (the paper's T)."""
        return self.repeats * self.pool.size

    @cached_property
    def dimensions(self) -> tuple[Dimension, ...]:
        return (*self._indicators(), *self._scales())

    def to_path(self, vector: Vector) -> Path:
        self.require_vector(vector)
        hops = [Hop(0, 0)]
        for slot in self._included(vector[: self.slots]):
            hops.append(self._scaled(vector, hops[-1], self.pool.hop(slot % self.pool.size), slot))
        return Path((*hops, self._scaled(vector, hops[-1], Hop(0, self.pool.layers - 1), self.slots)))

    def to_vector(self, path: Path) -> Vector:
        require_ends(self.pool, path)
        vector = self.start
        vector[: self.slots] = -abs(vector[: self.slots])
        used = self._used_slots(path)
        vector[used] = abs(vector[used])
        if self.limits is not None:
            for (before, hop), slot in zip(pairwise(path.hops), (*used, self.slots), strict=True):
                vector[self._scale_index(before, hop, slot)] = hop.scale
        if self.to_path(vector) != path:
            raise not_from_here(path, self, "its scales or its length don't fit")
        return vector

    def _indicators(self) -> Iterator[Dimension]:
        bias = min(1.0, 2 * USUAL_SIGMA * border(self.slots))
        for slot in range(self.slots):
            hop = self.pool.hop(slot % self.pool.size)
            own = slot < self.pool.layers and 0 < hop.layer < self.pool.layers - 1
            group = f"layer {hop.layer}, round {slot // self.pool.size + 1}"
            yield Dimension("indicator", self.pool.labels[hop.source], group, -1.0, 1.0, bias if own else -bias)

    def _scales(self) -> Iterator[Dimension]:
        limits, pool = self.limits, self.pool
        if limits is None:
            return
        if self.matrix:
            for before in range(pool.size):
                for position in range(pool.size):
                    origin, hop = pool.hop(before), pool.hop(position)
                    group = f"layer {hop.layer} after {pool.labels[origin.source]}'s {origin.layer}"
                    yield scale_dimension(self.pool, limits, pool.labels[hop.source], group)
            return
        for slot in range(self.slots):
            hop = pool.hop(slot % pool.size)
            yield scale_dimension(
                self.pool, limits, pool.labels[hop.source], f"layer {hop.layer}, round {slot // pool.size + 1}"
            )
        yield scale_dimension(self.pool, limits, pool.labels[0], f"layer {pool.layers - 1}, end")

    def _included(self, indicators: Vector) -> list[int]:
        inside = [int(slot) for slot in np.flatnonzero(indicators > 0)]
        strongest = sorted(inside, key=lambda slot: (-indicators[slot], slot))[: self.most_layers - 2]
        return sorted(strongest)

    def _used_slots(self, path: Path) -> list[int]:
        """The slots of the hops between the ends, each the earliest: so whatever fits at all fits."""
        slot, used = -1, []
        for hop in path.hops[1:-1]:
            slot += 1 + (self.pool.position(hop) - slot - 1) % self.pool.size
            if slot >= self.slots:
                raise not_from_here(path, self, f"it goes back more than {self.repeats - 1} times")
            used.append(slot)
        return used

    def _scaled(self, vector: Vector, before: Hop, hop: Hop, slot: int) -> Hop:
        if self.limits is None:
            return hop
        return Hop(hop.source, hop.layer, float(vector[self._scale_index(before, hop, slot)]))

    def _scale_index(self, before: Hop, hop: Hop, slot: int) -> int:
        if not self.matrix:
            return self.slots + slot
        return self.slots + self.pool.position(before) * self.pool.size + self.pool.position(hop)
