"""Keys and values of many sequences, and reading tokens of any of them in one batch."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from evomerge_quant.llama.library import default_threads, last_complaint
from evomerge_quant.llama.model import LlamaModel

# llama.cpp's own limit
MOST_SEQUENCES = 256
# Tokens that go through the layers together; more is no faster on a CPU.
UBATCH = 512


class LlamaError(Exception):
    """llama.cpp could not make a context or read a batch."""


@dataclass(frozen=True)
class TokenRun:
    """Tokens that follow one another in a sequence, from `position` on; the logits after the last `wanted` are wanted."""

    sequence: int
    position: int
    tokens: Sequence[int]
    wanted: int = 0


class LlamaContext:
    """Room for `cells` tokens, all sequences together, of which at most `batch` are read at once.

    Raises LlamaError when there is no memory for it.
    """

    def __init__(self, model: LlamaModel, *, cells: int, sequences: int = 1, batch: int = UBATCH) -> None:
        self.model = model
        self._library: Any = model.library
        params = self._library.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = batch
        params.n_ubatch = min(batch, UBATCH)
        params.n_seq_max = sequences
        # One pool of cells: forks share what they have in common, and a short sequence leaves its room to a long one.
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = default_threads()
        last_complaint()
        self.handle = self._library.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise LlamaError(last_complaint() or f"no room for a context of {cells} tokens")
        self._memory = self._library.llama_get_memory(self.handle)
        self.cells = int(self._library.llama_n_ctx(self.handle))
        # llama.cpp lowers it to the number of cells, and ends the process when it is given more.
        self.batch = int(self._library.llama_n_batch(self.handle))
        self._buffers = _Buffers(self.batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Frees the context."""
        if self.handle is not None:
            self._library.llama_free(self.handle)
            self.handle = None

    def read(self, runs: Sequence[TokenRun]) -> list[np.ndarray]:
        """Reads runs of different sequences together, in as many batches as they need.

        Gives float32 logits [wanted, vocabulary] run by run. LlamaError when the cells don't suffice.
        """
        found: list[list[np.ndarray]] = [[] for _ in runs]
        for pieces in _split(runs, self.batch):
            logits = self._decode([piece for _, piece in pieces])
            at = 0
            for number, piece in pieces:
                found[number].append(logits[at : at + piece.wanted])
                at += piece.wanted
        return [np.concatenate(parts) if parts else self._no_logits() for parts in found]

    def fork(self, source: int, target: int) -> None:
        """Makes sequence `target` begin as `source` is now; nothing is copied."""
        self._library.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def cut(self, sequence: int, position: int) -> bool:
        """Forgets a sequence from `position` on; False when this model's memory can't (recurrent layers)."""
        return bool(self._library.llama_memory_seq_rm(self._memory, sequence, position, -1))

    def clear(self) -> None:
        """Forgets everything."""
        self._library.llama_memory_clear(self._memory, True)

    def _decode(self, runs: Sequence[TokenRun]) -> np.ndarray:
        """One batch; a copy of its logits, float32 [wanted, vocabulary]."""
        last_complaint()
        status = self._library.llama_decode(self.handle, self._buffers.fill(self._library.llama_batch, runs))
        if status != 0:
            raise LlamaError(last_complaint() or f"llama_decode gave {status}")
        wanted = sum(run.wanted for run in runs)
        if not wanted:
            return self._no_logits()
        pointer = self._library.llama_get_logits(self.handle)
        return np.ctypeslib.as_array(pointer, shape=(wanted, self.model.vocabulary_size)).copy()

    def _no_logits(self) -> np.ndarray:
        return np.empty((0, self.model.vocabulary_size), dtype=np.float32)


class _Buffers:
    """The arrays of a `llama_batch` of up to `size` tokens, each token in one sequence."""

    def __init__(self, size: int) -> None:
        self.tokens, self.positions, self.sequences = (np.zeros(size, dtype=np.int32) for _ in range(3))
        self.counts = np.ones(size, dtype=np.int32)
        self.wanted = np.zeros(size, dtype=np.int8)
        # llama.cpp wants an array of pointers, one to each token's list of sequences.
        self.lists = self.sequences.ctypes.data + 4 * np.arange(size, dtype=np.uintp)

    def fill(self, batch_type: Any, runs: Sequence[TokenRun]) -> Any:
        """A `llama_batch` that points into these arrays."""
        at = 0
        for run in runs:
            end = at + len(run.tokens)
            self.tokens[at:end] = run.tokens
            self.positions[at:end] = np.arange(run.position, run.position + len(run.tokens))
            self.sequences[at:end] = run.sequence
            self.wanted[at : end - run.wanted] = 0
            self.wanted[end - run.wanted : end] = 1
            at = end
        fields = dict(batch_type._fields_)
        arrays: dict[str, np.ndarray] = {
            "token": self.tokens,
            "pos": self.positions,
            "n_seq_id": self.counts,
            "seq_id": self.lists,
            "logits": self.wanted,
        }
        pointers = {name: ctypes.cast(array.ctypes.data, fields[name]) for name, array in arrays.items()}
        return batch_type(n_tokens=at, embd=None, **pointers)


def _split(runs: Sequence[TokenRun], batch: int) -> list[list[tuple[int, TokenRun]]]:
    """Runs cut into batches of at most `batch` tokens, in order, each piece with the number of its run."""
    batches: list[list[tuple[int, TokenRun]]] = []
    room = 0
    for number, run in enumerate(runs):
        at, length = 0, len(run.tokens)
        while at < length:
            if not room:
                batches.append([])
                room = batch
            end = min(length, at + room)
            wanted = max(0, min(end - at, run.wanted - (length - end)))
            batches[-1].append((number, TokenRun(run.sequence, run.position + at, run.tokens[at:end], wanted)))
            room -= end - at
            at = end
    return batches
