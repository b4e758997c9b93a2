"""How long a conversation may get: what the model was trained on, and what memory is free."""

from __future__ import annotations

import ctypes
from typing import Any

from evomerge_quant.llama.context import LlamaContext, LlamaError
from evomerge_quant.llama.library import load_library
from evomerge_quant.llama.model import LlamaModel
from evomerge_quant.ram import available_ram

# Of the free memory, the share that keys and values may take; activations and other programs need some too.
_SHARE = 0.5
# Longer conversations are rare, and the room for them is taken at the start.
_MOST = 16_384
_LEAST = 512
_GPU = (1, 2)  # GGML_BACKEND_DEVICE_TYPE_GPU, _IGPU


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
    fitting = int(share * _SHARE * free_memory() // max(1, model.cell_bytes))
    return max(min(_LEAST, most), min(most, fitting))


def free_memory() -> int:
    """Free bytes where llama.cpp puts keys and values: on the GPUs that the installed build can use, else in RAM."""
    return _gpu_memory() or available_ram()


def _gpu_memory() -> int:
    """Free bytes of all GPUs together, 0 without one."""
    if not load_library().llama_supports_gpu_offload():
        return 0
    from llama_cpp._ggml import libggml as ggml

    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    return sum(_free(ggml, number) for number in range(ggml.ggml_backend_dev_count()))


def _free(ggml: Any, number: int) -> int:
    device = ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(number)))
    if ggml.ggml_backend_dev_type(device) not in _GPU:
        return 0
    free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
    ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
    return free.value
