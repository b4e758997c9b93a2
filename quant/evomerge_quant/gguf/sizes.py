"""How large a child becomes as a GGUF, told before it is made."""

from __future__ import annotations

from collections.abc import Mapping

from evomerge_core.sources.source import Source
from evomerge_quant.gguf.quantize.file_types import find_types
from evomerge_quant.gguf.quantize.mixture import predict
from evomerge_quant.gguf.subject.subject import shapes_of, vocabulary_bytes

_USUAL = ("Q4_K_M", "Q8_0", "F16")


def gguf_bytes(base: Source, tensors: Mapping[str, tuple[int, ...]], layers: int) -> dict[str, int]:
    """Bytes of the usual types, about, for a child of these tensors that is otherwise like `base`."""
    shapes, vocabulary = shapes_of(base, tensors, layers), vocabulary_bytes(base)
    types = find_types(_USUAL, imatrix=False)
    return {one.name: predict(shapes, one, imatrix=False).bytes + vocabulary for one in types}
