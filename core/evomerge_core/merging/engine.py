"""Merges a plan tensor by tensor: the same engine for a search's candidates and for a merge that is written to disk.

It works on the CPU, whatever scores the child: a card's kernels add and divide otherwise in the last bit, and what is shipped
shall be what was scored. By arithmetic a card would be no faster either: of two bf16 sources and their base 6 bytes a weight
would cross the bus for each candidate, and torch's kernels move 108 bytes a weight there for task arithmetic, 391 for TIES and
917 for DARE-TIES. The loops here read each source once, in place, and 2 bytes a weight cross, while the next tensor is merged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from evomerge_core.merging.compiled import great_circle
from evomerge_core.merging.compiled.child_room import ChildRoom
from evomerge_core.merging.compiled.elementwise import is_elementwise, merge_elementwise
from evomerge_core.merging.compiled.task_vector import VectorFacts
from evomerge_core.merging.plan.plan import TensorMerge
from evomerge_core.merging.whole_tensor import merge_whole
from evomerge_core.methods.parts.random_field import field_key
from evomerge_core.methods.registry import get_method
from evomerge_core.sources.source import Source


class MergeEngine:
    """Merges the tensors of open sources; keeps the thresholds and norms that don't depend on the genome.

    The maths is done in float32 on what the sources hold, the result rounded to `dtype` and kept as `out_dtype`; with float32
    for `dtype` it is rounded once, to `out_dtype`. `seed` names the masks of random methods: the same seed, tensor and source
    give the same mask, nested in density. The same plan gives the same bytes, whatever the number of threads. Each tensor is in
    memory of its own, or, with `reuses_memory`, valid until the next is asked for.

    mergekit takes `dtype` for the maths too, except in linear and slerp: task vectors, their weights and every sum are
    rounded to it on the way. That saves memory there and costs accuracy: with `dtype: bfloat16` a weight of 0.3 becomes 0.3008,
    and an adapter's task vector loses what the base's rounding doesn't leave room for. What a file means is the formula,
    and the nearest number to it is the same on every machine, so it is what is written here; `mergekit_parity.py --dtype`
    shows how far the two are apart, and which is nearer to the formula in float64.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        dtype: torch.dtype = torch.float32,
        out_dtype: torch.dtype = torch.bfloat16,
        seed: int = 0,
        *,
        reuses_memory: bool = False,
    ) -> None:
        self._sources = sources
        self._rounded_to = out_dtype if dtype == torch.float32 else dtype
        self._out_dtype = out_dtype
        self._seed = seed
        self._facts = VectorFacts()
        self._room = ChildRoom(reuses=reuses_memory)
        self._identities: dict[str, str] = {}

    def stream(self, plan: Sequence[TensorMerge]) -> Iterator[tuple[str, Tensor]]:
        """The child's tensors by name, merged one at a time."""
        for merge in plan:
            yield merge.name, self._finished(merge, self._merge(merge))

    def _finished(self, merge: TensorMerge, merged: Tensor) -> Tensor:
        tensor = merged.to(self._out_dtype)
        return tensor if merge.kept is None else merge.kept.keep(tensor, self._sources[merge.kept.model])

    def _merge(self, merge: TensorMerge) -> Tensor:
        if is_elementwise(merge):
            return merge_elementwise(merge, self._sources, self._keys(merge), self._facts, self._room, self._rounded_to)
        if merge.method == great_circle.METHOD:
            return great_circle.merge_great_circle(merge, self._sources, self._facts, self._room, self._rounded_to)
        return merge_whole(merge, self._sources, self._keys(merge), self._rounded_to)

    def _keys(self, merge: TensorMerge) -> list[int]:
        if not get_method(merge.method).random:
            return []
        return [field_key(self._seed, merge.name, self._identity(tensor_input.model)) for tensor_input in merge.inputs]

    def _identity(self, model: str) -> str:
        """A source's name by what its weights are, not by where they are: a moved folder keeps its masks."""
        if model not in self._identities:
            files = self._sources[model].fingerprints().items()
            weights = sorted(digest for file, digest in files if file.endswith((".safetensors", ".bin")))
            self._identities[model] = hashlib.sha256(" ".join(weights).encode()).hexdigest()
        return self._identities[model]
