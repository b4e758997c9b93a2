"""How long a conversation may get: what the model was trained on, and what memory is free."""

from __future__ import annotations

from evomerge_quant.llama.context import LlamaContext, LlamaError
from evomerge_quant.llama.gpu_memory import free_gpu_memory
from evomerge_quant.llama.model import LlamaModel
from evomerge_quant.ram import available_ram

# Of the free memory, the share that keys and values may take; activations and other programs need some too.
_SHARE = 0.5
# Longer conversations are rare, and the room for them is taken at the start.
_MOST = 16_384
_LEAST = 512


def open_context(model: LlamaModel, wanted: int | None = None, *, share: float = 1.0) -> LlamaContext:
    """A context of `wanted` tokens; without it, as many as the model was trained on and half of the free memory holds.

    `share` is the part of that memory for this one of several models. Halved until it fits. LlamaError when not even
    512 tokens fit.
    """
    cells = wanted or context_tokens(model, share=share)
    while True:
        try:
            return LlamaContext(model, cells=cells)
        except LlamaError:
            if cells <= _LEAST:
                raise
            cells = max(_LEAST, cells // 2)


def context_tokens(model: LlamaModel, *, share: float = 1.0) -> int:
    """Tokens that fit: at most the training context, and 16,384."""
    most = min(_MOST, model.training_context)
    fitting = int(share * _SHARE * _room_for_cells(model))
    return max(min(_LEAST, most), min(most, fitting))


def _room_for_cells(model: LlamaModel) -> int:
    """Tokens whose keys and values fit where llama.cpp puts them: each layer's beside its weights, on the GPU or in RAM."""
    on_gpu = model.gpu_share
    places = ((on_gpu, free_gpu_memory), (1 - on_gpu, available_ram))
    return min(int(free() // max(1, part * model.cell_bytes)) for part, free in places if part)
