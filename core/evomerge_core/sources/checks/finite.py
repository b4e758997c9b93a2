"""The search for NaN and Inf in everything that a source reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.fingerprint import identity
from evomerge_core.sources.stored.weight_file import WeightFile

# So many values stay in a core's cache.
CHUNK = 1 << 17
# The integers of a dtype's bits, the bits without the sign, and the exponent that NaN and Inf have: none is larger.
BITS = {
    torch.bfloat16: (torch.int16, 0x7FFF, 0x7F80),
    torch.float16: (torch.int16, 0x7FFF, 0x7C00),
    torch.float32: (torch.int32, 0x7FFFFFFF, 0x7F800000),
}
_REMEDY = "download or copy the model again, or take another source"
_scanned: dict[tuple[str, int, int], tuple[InputError, ...]] = {}


def check_finite(source: Source) -> list[InputError]:
    """An error for each tensor of the checkpoint and the adapter that holds NaN or Inf; empty when all is well.

    Reads every weight once; a file that was scanned before in this process, and hasn't changed, isn't read again.
    """
    return [error for file in weight_files(source) for error in _scan(file)]


def require_finite(source: Source) -> None:
    """Raises InputError with the first tensor that holds NaN or Inf, and the number of others."""
    refuse(check_finite(source), "more tensors")


def refuse(errors: Sequence[InputError], others: str = "more") -> None:
    """Raises the first of these errors, with the number of the others; nothing where there are none."""
    if errors:
        more = f" (and {len(errors) - 1} {others})" if len(errors) > 1 else ""
        raise InputError(errors[0].problem, where=errors[0].where, remedy=f"{errors[0].remedy}{more}")


def weight_files(source: Source) -> list[WeightFile]:
    """The open files that the source's tensors come from."""
    body = source.checkpoint.body
    files = {file.path: file for file in (source.checkpoint.tensors.values() if body is None else body.files)}
    adapter = [] if source.adapter is None else [source.adapter.weights]
    return [*files.values(), *adapter]


def _scan(file: WeightFile) -> tuple[InputError, ...]:
    key = identity(file.path)
    if key not in _scanned:
        damaged = (name for name in file.facts if not _is_finite(file.read(name)))
        _scanned[key] = tuple(InputError(f"{name} holds NaN or Inf", where=file.path, remedy=_REMEDY) for name in damaged)
    return _scanned[key]


def _is_finite(tensor: Tensor) -> bool:
    layout = BITS.get(tensor.dtype)
    if layout is None:
        return True
    integer, magnitude, exponent = layout
    # One thread of numpy is as fast as memory, and doesn't wait for cores that others hold.
    bits = tensor.view(integer).reshape(-1).numpy()
    return all((bits[at : at + CHUNK] & magnitude).max() < exponent for at in range(0, bits.size, CHUNK))
