"""Merges tensors by the methods' own functions, where the loops have no method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from evomerge_core.merging.plan.plan import TensorInput, TensorMerge
from evomerge_core.methods.method import Method
from evomerge_core.methods.registry import get_method
from evomerge_core.sources.source import Source

# Entries that are merged together where each is merged for itself.
_AT_ONCE = 1 << 22


def merge_whole(merge: TensorMerge, sources: Mapping[str, Source], keys: Sequence[int], out_dtype: torch.dtype) -> Tensor:
    """The merged tensor in `out_dtype`, computed in float32; `keys` holds one key per input where the method is random."""

    def read(tensor_input: TensorInput) -> Tensor:
        return sources[tensor_input.model].read(tensor_input.name)

    method = get_method(merge.method)
    base, tensors = read(merge.base) if merge.base else None, [read(tensor_input) for tensor_input in merge.inputs]
    if not method.entrywise:
        return _call(method, merge, base, tensors, keys).to(out_dtype)
    made = torch.empty(tensors[0].shape, dtype=out_dtype)
    flat, flat_base, flat_tensors = made.view(-1), None if base is None else base.reshape(-1), [t.reshape(-1) for t in tensors]
    for start in range(0, flat.numel(), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        part = None if flat_base is None else flat_base[some]
        flat[some] = _call(method, merge, part, [tensor[some] for tensor in flat_tensors], keys)
    return made


def _call(method: Method, merge: TensorMerge, base: Tensor | None, tensors: Sequence[Tensor], keys: Sequence[int]) -> Tensor:
    names = merge.inputs[0].parameters
    per_source = {name: [tensor_input.parameters[name] for tensor_input in merge.inputs] for name in names}
    wide = [tensor.to(torch.float32) for tensor in tensors]
    return method.call(wide, None if base is None else base.to(torch.float32), per_source, merge.parameters, keys)
