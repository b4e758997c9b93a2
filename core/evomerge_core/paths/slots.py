"""Paths as a fixed number of slots, each a layer near the slot's depth or none, with one scale each.

Fewer and more local choices than the paper's encoding: a slot's neighbouring choices do nearly the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from evomerge_core.files.fields import ParameterRange
from evomerge_core.genome.dimension import Dimension, Vector
from evomerge_core.paths.path import Hop, Path, require_ends
from evomerge_core.paths.space import USUAL_SIGMA, PathSpace, border, not_from_here, scale_dimension


@dataclass(frozen=True)
class SlotSpace(PathSpace):
    """Vectors of one choice for each of `slots` slots (whole numbers), and then of scales in `limits`: one for each slot and
    one for A's last layer; None: no scales.

    The choices of a slot are in order of depth: the layers up to `reach` before the slot's depth, none, the layers of its
    depth, those after it; at each depth A's layer is nearest to the middle.
    """

    slots: int
    reach: int
    limits: ParameterRange | None

    @property
    def most_layers(self) -> int:
        return self.slots + 2

    @cached_property
    def choices(self) -> tuple[tuple[int | None, ...], ...]:
        """For each slot its choices: positions in the pool, None for no layer."""
        return tuple(self._choices(self._depth(slot)) for slot in range(self.slots))

    @cached_property
    def dimensions(self) -> tuple[Dimension, ...]:
        return (*self._choice_dimensions(), *self._scales())

    def to_path(self, vector: Vector) -> Path:
        self.require_vector(vector)
        hops = [Hop(0, 0)]
        for slot, choices in enumerate(self.choices):
            position = choices[round(vector[slot])]
            if position is not None:
                hops.append(self.pool.hop(position, self._scale(vector, slot)))
        return Path((*hops, Hop(0, self.pool.layers - 1, self._scale(vector, self.slots))))

    def to_vector(self, path: Path) -> Vector:
        require_ends(self.pool, path)
        vector = self.start
        vector[: self.slots] = [choices.index(None) for choices in self.choices]
        slot = -1
        for hop in path.hops[1:-1]:
            slot = self._next_slot(path, hop, slot)
            vector[slot] = self.choices[slot].index(self.pool.position(hop))
            if self.limits is not None:
                vector[self.slots + slot] = hop.scale
        if self.limits is not None:
            vector[-1] = path.hops[-1].scale
        if self.to_path(vector) != path:
            raise not_from_here(path, self, "its scales don't fit")
        return vector

    @property
    def _inner(self) -> int:
        """How many layers A has between its ends."""
        return self.pool.layers - 2

    def _depth(self, slot: int) -> int:
        return 1 + round(slot * (self._inner - 1) / max(1, self.slots - 1)) if self._inner > 0 else 0

    def _choices(self, depth: int) -> tuple[int | None, ...]:
        before = [near for offset in range(self.reach, 0, -1) for near in reversed(self._layers(depth - offset))]
        after = [near for offset in range(self.reach + 1) for near in self._layers(depth + offset)]
        return (*before, None, *after)

    def _layers(self, depth: int) -> list[int]:
        if not 0 <= depth < self.pool.layers:
            return []
        return [self.pool.position(Hop(source, depth)) for source in range(len(self.pool.labels))]

    def _choice_dimensions(self) -> Iterator[Dimension]:
        own = self._own_slots()
        for slot, choices in enumerate(self.choices):
            start = choices.index(own.get(slot))
            high = len(choices) - 1
            step = min(1.0, 0.5 / border(2 * self.slots) / (USUAL_SIGMA * high))  # a border on either side
            yield Dimension("layer", None, f"slot {slot + 1}", 0.0, float(high), float(start), step, whole=True)

    def _own_slots(self) -> dict[int, int]:
        """The slots in which A's own layers begin, spread evenly."""
        apart = (self.slots - 1) / max(1, self._inner - 1)
        return {round((layer - 1) * apart): self.pool.position(Hop(0, layer)) for layer in range(1, self._inner + 1)}

    def _scales(self) -> Iterator[Dimension]:
        if self.limits is not None:
            for slot in range(self.slots):
                yield scale_dimension(self.pool, self.limits, None, f"slot {slot + 1}")
            yield scale_dimension(self.pool, self.limits, self.pool.labels[0], f"layer {self.pool.layers - 1}, end")

    def _scale(self, vector: Vector, index: int) -> float:
        return 1.0 if self.limits is None else float(vector[self.slots + index])

    def _next_slot(self, path: Path, hop: Hop, after: int) -> int:
        """The first slot that has the hop's layer: with the earliest for each hop, whatever fits at all fits."""
        position = self.pool.position(hop)
        for slot in range(after + 1, self.slots):
            if position in self.choices[slot]:
                return slot
        raise not_from_here(path, self, f"no slot is left for layer {hop.layer} of {self.pool.labels[hop.source]}")
