"""How much memory is free on the GPUs that the installed llama.cpp can use."""

from __future__ import annotations

import ctypes
from typing import Any

from evomerge_quant.llama.library import load_library

_GPU = (1, 2)  # GGML_BACKEND_DEVICE_TYPE_GPU, _IGPU


def free_gpu_memory() -> int:
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
