"""The methods whose every entry depends on that entry alone, once thresholds and norms are known: merged by compiled loops.

The maths is that of `methods/`, which the tests compare with, in float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from evomerge_core.merging.compiled.blocks import for_blocks
from evomerge_core.merging.compiled.child_room import ChildRoom
from evomerge_core.merging.compiled.kernels import KEEP_BAND, KEEP_RANDOM, merge_blocks
from evomerge_core.merging.compiled.magnitudes import NONE_REACH
from evomerge_core.merging.compiled.operands import NOTHING, Operand, low_rank, records, whole
from evomerge_core.merging.compiled.task_vector import TaskVector, VectorFacts
from evomerge_core.merging.plan.plan import TensorInput, TensorMerge
from evomerge_core.methods.parts.reductions import total_weight
from evomerge_core.methods.parts.sparsify import breadcrumb_ranks, trimmed_size
from evomerge_core.sources.source import Source


class _Kind(NamedTuple):
    """What is dropped from a method's task vectors, and whether a sign is elected."""

    drop: Literal["nothing", "smallest", "extremes", "random"]
    elect: bool


_KINDS: Mapping[str, _Kind] = {
    "linear": _Kind("nothing", False),
    "task_arithmetic": _Kind("nothing", False),
    "ties": _Kind("smallest", True),
    "dare_linear": _Kind("random", False),
    "dare_ties": _Kind("random", True),
    "breadcrumbs": _Kind("extremes", False),
    "breadcrumbs_ties": _Kind("extremes", True),
}
METHODS = frozenset(_KINDS)
_SMALLEST_SUM = 1e-8


def is_elementwise(merge: TensorMerge) -> bool:
    """Whether the loops have this merge; a mean by weights that sum to 0 is the method's to refuse."""
    return merge.method in METHODS and not (merge.method == "linear" and merge.parameters["normalize"] and _weights(merge) == 0)


def merge_elementwise(
    merge: TensorMerge,
    sources: Mapping[str, Source],
    keys: Sequence[int],
    facts: VectorFacts,
    room: ChildRoom,
    out_dtype: torch.dtype,
) -> Tensor:
    """The merged tensor in `out_dtype`, rounded once from float32. `keys`: one per input where the method is random."""
    kind = _KINDS[merge.method]
    # Whole models are task vectors from nothing.
    base = whole(sources[merge.base.model].read(merge.base.name)) if merge.base else NOTHING
    shape = sources[merge.inputs[0].model].shape(merge.inputs[0].name)
    operands = []
    for index, tensor_input in enumerate(merge.inputs):
        vector = _task_vector(merge, tensor_input, base, math.prod(shape), sources)
        if vector is not None and not (merge.base and facts.is_zero(vector)):
            key = keys[index] if kind.drop == "random" else 0
            operands.append(_thinned(vector, kind, tensor_input, key, bool(merge.parameters.get("rescale", False)), facts))
    made = room.make(shape, out_dtype)
    for_blocks(
        merge_blocks,
        made.numel(),
        records([base]),
        records(operands),
        kind.elect,
        bool(merge.parameters["normalize"]),
        np.float32(_divisor(merge, kind)),
        np.float32(merge.parameters.get("lambda", 1.0)),
        records([whole(made)]),
    )
    return made.to(out_dtype)


def _task_vector(
    merge: TensorMerge, tensor_input: TensorInput, base: Operand, size: int, sources: Mapping[str, Source]
) -> TaskVector | None:
    """None for one that adds nothing: its weight or density is 0, or it's the base's own tensor."""
    if tensor_input.parameters["weight"] == 0 or tensor_input.parameters.get("density", 1.0) <= 0:
        return None
    operand = _operand(merge, tensor_input, sources)
    if base is not NOTHING and operand.fields["address"] == base.fields["address"]:
        return None
    origin = (merge.base.model, merge.base.name) if merge.base else ()
    return TaskVector((merge.name, tensor_input.model, tensor_input.name, *origin), size, base, operand)


def _operand(merge: TensorMerge, tensor_input: TensorInput, sources: Mapping[str, Source]) -> Operand:
    source = sources[tensor_input.model]
    added = source.low_rank(tensor_input.name)
    if added is not None and _differs_by_adapter(tensor_input, merge.base, sources):
        return low_rank(added)
    return whole(source.read(tensor_input.name))


def _differs_by_adapter(tensor_input: TensorInput, base: TensorInput | None, sources: Mapping[str, Source]) -> bool:
    """Whether both are the same tensor of one checkpoint, row for row, and only the input has an adapter."""
    if base is None or tensor_input.name != base.name:
        return False
    source, other = sources[tensor_input.model], sources[base.model]
    return source.checkpoint == other.checkpoint and other.adapter is None and tensor_input.name not in (source.rows or ())


def _thinned(
    vector: TaskVector, kind: _Kind, tensor_input: TensorInput, key: int, rescale: bool, facts: VectorFacts
) -> Operand:
    weight, density = tensor_input.parameters["weight"], tensor_input.parameters.get("density", 1.0)
    if kind.drop == "nothing" or density >= 1:
        return vector.with_fields(weight=weight, factor=weight).operand
    if kind.drop == "random":
        fields = _random(density, key)
    else:
        fields = _band(vector, kind, density, tensor_input.parameters.get("gamma", 0.0), facts)
    scale = facts.l1_scale(vector, fields) if rescale else 1.0
    return vector.with_fields(**fields, weight=weight, factor=weight * scale).operand


def _random(density: float, key: int) -> dict[str, int]:
    # The field's numbers are multiples of 2**-24, compared in float32: below the density means below this whole number.
    below = math.ceil(float(np.float32(density)) * 2**24)
    return {"keep": KEEP_RANDOM, "key_low": key & 0xFFFFFFFF, "key_high": key >> 32, "keep_below": below}


def _band(vector: TaskVector, kind: _Kind, density: float, gamma: float, facts: VectorFacts) -> dict[str, int]:
    if kind.drop == "extremes":
        above, through = breadcrumb_ranks(density, gamma, vector.size)
    else:
        above, through = 0, trimmed_size(density, vector.size)
    floor = facts.threshold(vector, through)
    ceiling = facts.threshold(vector, above) if above else NONE_REACH
    return {
        "keep": KEEP_BAND,
        "floor": floor.bits,
        "floor_index": floor.last_index,
        "ceiling": ceiling.bits,
        "ceiling_index": ceiling.last_index,
    }


def _divisor(merge: TensorMerge, kind: _Kind) -> float:
    """What the whole sum is divided by; where a sign is elected each entry has its own."""
    if kind.elect or not merge.parameters["normalize"]:
        return 1.0
    total = _weights(merge)
    return 1.0 if merge.base is not None and abs(total) < _SMALLEST_SUM else total


def _weights(merge: TensorMerge) -> float:
    return total_weight([tensor_input.parameters["weight"] for tensor_input in merge.inputs])
