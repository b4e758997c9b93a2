"""Merges whole tensors by the methods' own functions: on a GPU, and where the loops have no method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evomerge_core.merging.plan.plan import TensorInput, TensorMerge
from evomerge_core.methods.registry import get_method
from evomerge_core.sources.source import Source


@dataclass(frozen=True, eq=False)
class Loaded:
    """A merge with its tensors on the device, in float32."""

    merge: TensorMerge
    base: Tensor | None
    tensors: tuple[Tensor, ...]


def load(merge: TensorMerge, sources: Mapping[str, Source], device: torch.device) -> Loaded:
    """Reads the tensors of one merge."""

    def read(tensor_input: TensorInput) -> Tensor:
        # Copied as stored and widened on the device: half the bytes on the way.
        return sources[tensor_input.model].read(tensor_input.name).to(device, non_blocking=True).to(torch.float32)

    return Loaded(merge, read(merge.base) if merge.base else None, tuple(read(tensor_input) for tensor_input in merge.inputs))


def merge_loaded(loaded: Loaded, keys: Sequence[int], out_dtype: torch.dtype) -> Tensor:
    """The merged tensor in `out_dtype`; `keys` holds one key per input where the method is random."""
    merge = loaded.merge
    names = merge.inputs[0].parameters
    per_source = {name: [tensor_input.parameters[name] for tensor_input in merge.inputs] for name in names}
    method = get_method(merge.method)
    return method.call(loaded.tensors, loaded.base, per_source, merge.parameters, keys).to(out_dtype)


def loaded_ahead(plan: Sequence[TensorMerge], sources: Mapping[str, Source], device: torch.device) -> Iterator[Loaded]:
    """The merges of a plan in order, on a GPU: the next one's tensors are copied while the last one's are merged."""
    # A merge is only queued when its turn comes, so that the next copies run beside it.
    copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    for merge in plan:
        with torch.cuda.stream(copies):
            loaded = load(merge, sources, device)
        yield _handed_over(loaded, copies, torch.cuda.current_stream(device))


def _handed_over(loaded: Loaded, copies: torch.cuda.Stream, current: torch.cuda.Stream) -> Loaded:
    """Makes the current stream wait for the copies, and keeps their memory until that stream is done with it."""
    current.wait_stream(copies)
    for tensor in loaded.tensors if loaded.base is None else (loaded.base, *loaded.tensors):
        tensor.record_stream(current)
    return loaded
