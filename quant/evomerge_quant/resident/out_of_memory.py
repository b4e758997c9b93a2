"""Which errors mean that memory ran out, and what becomes of them: a smaller batch, the CPU, or the candidate's failure."""

from __future__ import annotations

import torch

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import CandidateError

# What torch's, oneDNN's and the driver's other errors say, or the system's for memory that it maps;
# torch.AcceleratorError is a plain RuntimeError, and cuBLAS, whose handle takes memory of its own, reports what it couldn't
# allocate as not initialised.
_SAID = (
    "out of memory",
    "not enough memory",
    "DefaultCPUAllocator",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "cudaErrorMemoryAllocation",
    "could not create a primitive",
    "could not create a memory",
    "Cannot allocate memory",
    "bad_alloc",
)


class OutOfMemory(CandidateError):
    """There is no memory left to take or to score a candidate."""

    elsewhere = True


class NoRoom(OutOfMemory, InputError):
    """There is no room for a model: the candidate's failure in a run, bad input where a model was asked for by itself."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the RAM, the card's memory or the memory that can be pinned has run out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)
