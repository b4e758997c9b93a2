"""A path: the layers that every token goes through, one hop after the other (arXiv 2403.13187, data-flow space)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from evomerge_core.errors import InputError


@dataclass(frozen=True)
class Hop:
    """One step. `source` is the model's place in the pool, 0 being A; `scale` multiplies the whole stream that the layer
    reads, the residual included."""

    source: int
    layer: int
    scale: float = 1.0


@dataclass(frozen=True)
class Path:
    """Hops in order. The first hop's source gives the embeddings, the last one's the final norm and the head."""

    hops: tuple[Hop, ...]

    @property
    def gains(self) -> tuple[float, ...]:
        """The product of all scales up to each hop: what the stream has been multiplied by."""
        return tuple(accumulate((hop.scale for hop in self.hops), mul))

    @property
    def is_scaled(self) -> bool:
        return any(hop.scale != 1.0 for hop in self.hops)


@dataclass(frozen=True)
class Pool:
    """The models whose layers paths run through, by label, and how many layers each has."""

    labels: tuple[str, ...]
    layers: int

    @property
    def size(self) -> int:
        """All layers of all models (the paper's M)."""
        return len(self.labels) * self.layers

    def position(self, hop: Hop) -> int:
        """A hop's layer among the layers of all models, one model after the other."""
        return hop.source * self.layers + hop.layer

    def hop(self, position: int, scale: float = 1.0) -> Hop:
        """The hop to the layer at a position."""
        source, layer = divmod(position, self.layers)
        return Hop(source, layer, scale)

    def letter(self, source: int) -> str:
        """What a model is called in drawings: A, B and so on."""
        return chr(ord("A") + source) if source < 26 else f"S{source + 1}"


def require_ends(pool: Pool, path: Path) -> None:
    """InputError unless a path begins with A's first layer, unscaled, and ends with A's last: the paper's fixed ends."""
    first, last = Hop(0, 0), (0, pool.layers - 1)
    if len(path.hops) < 2 or path.hops[0] != first or (path.hops[-1].source, path.hops[-1].layer) != last:
        raise InputError("the path must begin with A's first layer, unscaled, and end with A's last", remedy="correct its ends")
