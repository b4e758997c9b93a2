"""The model that stays in memory: built once, it takes candidates' weights and answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import bitsandbytes.functional as bnb
import torch
from torch import Tensor
from transformers import AutoConfig

from evomerge_core.errors import InputError
from evomerge_core.tasks.exchange import Answer, CandidateError, Question
from evomerge_quant import memory
from evomerge_quant.resident.answering import PREFILL_TOKENS, answer_rows
from evomerge_quant.resident.reader import LOGITS_AT_ONCE, Reader, make_reader
from evomerge_quant.resident.rows import Row, make_rows
from evomerge_quant.resident.skeleton import Precision, make_skeleton, place
from evomerge_quant.resident.vocabulary import Vocabulary, read_vocabulary
from evomerge_quant.resident.weights import Slots, make_slots, take_all

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class _Parts:
    config: Any
    model: Any
    slots: Slots
    reader: Reader
    vocabulary: Vocabulary


class ResidentModel:
    """An `Evaluator`: one candidate's weights at a time, answers in batches.

    `batch_size` (rows) fits itself to the free memory at the first answer, and is halved when memory runs out; set it to a
    recorded value to get the same batches again. `compute_dtype` is what products are computed in: bfloat16 where the
    hardware has it, else float32, which holds bf16 values exactly; for `fp32` always float32.
    """

    def __init__(self, parts: _Parts, precision: Precision, batch_size: int | None) -> None:
        self._parts = parts
        self._precision = precision
        self._loaded = False
        self.batch_size = batch_size

    @property
    def precision(self) -> Precision:
        """The precision of the weights: `nf4`, `bf16` or `fp32`."""
        return self._precision

    @property
    def compute_dtype(self) -> torch.dtype:
        """The dtype that products are computed in."""
        return self._parts.reader.dtype

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._parts.reader.device

    @property
    def module(self) -> Any:
        """The transformers model itself."""
        return self._parts.model

    @torch.no_grad()
    def load(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Takes a whole candidate. CandidateError names a tensor with NaN or Inf, or says that memory ran out; ValueError
        names a wrong or missing tensor."""
        self._loaded = False
        try:
            take_all(self._parts.slots, tensors)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            raise CandidateError("out of memory while the weights were merged and taken") from None
        self._loaded = True

    @torch.inference_mode()
    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Greedy answers and log-likelihoods, in the order of the questions.

        InputError for a question that the model can't take; CandidateError when logits are not numbers, or when memory
        does not do for one row.
        """
        if not self._loaded:
            raise ValueError("the resident model holds no candidate; load one first")
        if not questions:
            return []
        parts = self._parts
        rows = make_rows(questions, parts.vocabulary, parts.config.max_position_embeddings)
        while True:
            size = self.batch_size or self._fitting_batch(rows)
            self.batch_size = size
            try:
                return answer_rows(parts.reader, rows, parts.vocabulary, size)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
            if size == 1:
                raise CandidateError("out of memory with one question at a time")
            self.batch_size = size // 2
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _fitting_batch(self, rows: Sequence[Row]) -> int:
        config, dtype, device = self._parts.config, self.compute_dtype, self.device
        budget = memory.Budget(
            free=memory.available_bytes(device),
            workspace=memory.workspace_bytes(config, dtype, PREFILL_TOKENS[device.type], LOGITS_AT_ONCE),
            token=memory.kv_bytes_per_token(config, dtype),
        )
        return memory.fit_batch(budget, max(row.most_tokens for row in rows), device)


def build(
    folder: Path,
    *,
    precision: Precision,
    device: Device = "auto",
    layers: int | None = None,
    batch_size: int | None = None,
) -> ResidentModel:
    """A resident model of the shape of `folder` (its `config.json` and tokenizer; its weights are not read).

    `layers` is the candidates' layer count where it differs from the folder's. InputError for a folder without config or
    tokenizer, an architecture that can't be scored, or `cuda` where there is none.
    """
    place_on = _choose_device(device)
    dtype = _compute_dtype(precision, place_on)
    config = _read_config(folder, layers)
    model = make_skeleton(config, precision, dtype)
    place(model, dtype, place_on, unpacked=precision == "nf4" and _unpacked_fits(config, dtype, place_on))
    parts = _Parts(
        config,
        model,
        make_slots(model, rounded=precision != "fp32"),
        make_reader(model, dtype, place_on),
        read_vocabulary(folder),
    )
    return ResidentModel(parts, precision, batch_size)


def _choose_device(device: Device) -> torch.device:
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda: no CUDA device is there; use cpu or auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def _compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    if precision == "fp32":
        return torch.float32
    return torch.bfloat16 if device.type == "cuda" or bnb.has_avx512bf16() else torch.float32


def _read_config(folder: Path, layers: int | None) -> Any:
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder / 'config.json'}: not found; name a model folder")
    config = AutoConfig.from_pretrained(folder)
    if layers is not None:
        kinds = getattr(config, "layer_types", None)
        if kinds:
            config.layer_types = [kinds[i % len(kinds)] for i in range(layers)]
        config.num_hidden_layers = layers
    return config


def _unpacked_fits(config: Any, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the values of all NF4 layers fit in RAM, with as much left for merging and for the batches."""
    if device.type != "cpu":
        return False
    return 2 * memory.resident_bytes(config, "nf4", dtype, unpacked=True) <= memory.available_bytes(device)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(words in str(error) for words in ("not enough memory", "DefaultCPUAllocator"))
