"""Which errors mean that memory ran out; what is done about it is up to whoever was at work."""

from __future__ import annotations

import torch

# What torch's and the driver's other errors say; torch.AcceleratorError is a plain RuntimeError, and cuBLAS, whose handle takes
# memory of its own, reports what it couldn't allocate as not initialised.
_SAID = (
    "out of memory",
    "not enough memory",
    "DefaultCPUAllocator",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "cudaErrorMemoryAllocation",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the RAM, the card's memory or the memory that can be pinned has run out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)
