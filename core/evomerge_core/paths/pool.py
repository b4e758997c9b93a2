"""All layers of all members of a pool as one stream: what a resident model takes once, to walk any path through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.paths.path import Path, Pool
from evomerge_core.paths.path_merge import plan_member
from evomerge_core.sources.source import Source


def stream_pool(
    members: Sequence[MergeConfig], sources: Mapping[str, Source], engine: MergeEngine
) -> Iterator[tuple[str, Tensor]]:
    """The first member whole, and the layers of the others after its own: layer i of member k is layer k x (layers) + i."""
    plans = [plan_member(config, sources) for config in members]
    named = [(merge.name, merge) for merge in plans[0].before()]
    prefix, number = plans[0].stack.prefix, 0
    for plan in plans:
        for layer in range(plan.layers):
            named += [(f"{prefix}{number}.{rest}", merge) for rest, merge in plan.layer(layer)]
            number += 1
    named += [(merge.name, merge) for merge in plans[0].after()]
    for (name, _), (_, tensor) in zip(named, engine.stream([merge for _, merge in named]), strict=True):
        yield name, tensor


def pool_layers(pool: Pool) -> tuple[int, ...]:
    """For each layer that `stream_pool` gives, which of a model's layers it is."""
    return tuple(range(pool.layers)) * len(pool.labels)


def route(path: Path, pool: Pool) -> tuple[tuple[int, float], ...]:
    """The path through the layers that `stream_pool` gives: (layer, scale of its input) hop by hop."""
    return tuple((pool.position(hop), hop.scale) for hop in path.hops)
