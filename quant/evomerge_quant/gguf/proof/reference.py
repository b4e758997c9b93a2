"""The model that a GGUF is compared with: the folder's own tensors, computed in float32 where there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from evomerge_core.sources.source import Source, open_source
from evomerge_core.tasks.evaluator import Answer
from evomerge_quant.gguf.proof.comparison import Stretch
from evomerge_quant.gguf.proof.proof_items import ProofItem
from evomerge_quant.resident import memory
from evomerge_quant.resident.answering.attention import PADDING
from evomerge_quant.resident.answering.cache import with_prefix
from evomerge_quant.resident.answering.prefill import Prefix, after_prefix, read_prefix
from evomerge_quant.resident.answering.reader import PlacedTokens, Reader, make_reader
from evomerge_quant.resident.answering.rows import QuestionRow, common_prefix, make_rows
from evomerge_quant.resident.answering.vocabulary import Vocabulary, read_vocabulary
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.out_of_memory import OutOfMemory, is_out_of_memory

# A batch takes about as much again as the weights of a small model.
_ROOM = 1.5
ReferencePrecision = Literal["fp32", "bf16"]
DeviceName = Literal["cpu", "cuda"]
_BYTES: Mapping[ReferencePrecision, int] = {"fp32": 4, "bf16": 2}


class ModelReference(Protocol):
    """What a file is compared with: the model's tokens, distributions and answers."""

    @property
    def items(self) -> tuple[ProofItem, ...]: ...

    @property
    def rows(self) -> list[QuestionRow]: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def precision(self) -> str: ...

    @property
    def parameters(self) -> int: ...

    @property
    def prefix(self) -> tuple[int, ...]: ...

    @property
    def answers(self) -> Sequence[Answer]: ...

    def logits(self, stretches: Sequence[Stretch]) -> list[Tensor]: ...


class Reference:
    """A loaded model folder with the items for verification, for any number of files.

    InputError when the folder holds no model or an item is too long for it; CandidateError when weights are NaN or Inf.
    """

    def __init__(self, folder: Path, items: Sequence[ProofItem]) -> None:
        self.folder = folder
        self.items = tuple(items)
        self.vocabulary: Vocabulary = read_vocabulary(folder)
        self._model: ResidentModel = _load(folder)
        positions = int(self._model.module.config.max_position_embeddings)
        self.rows: list[QuestionRow] = make_rows([item.question for item in items], self.vocabulary, positions)
        self._reader: Reader = make_reader(self._model.module, self._model.compute_dtype, self._model.device)

    @property
    def precision(self) -> str:
        """What products are computed in: `fp32`, or `bf16` where memory is too small for that."""
        return "fp32" if self._model.compute_dtype == torch.float32 else "bf16"

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return self._model.device

    @property
    def parameters(self) -> int:
        """How many weights the model has, tied ones counted once."""
        return sum(parameter.numel() for parameter in self._model.module.parameters())

    @cached_property
    def prefix(self) -> tuple[int, ...]:
        """The tokens that all prompts begin with."""
        return tuple(common_prefix(self.rows))

    @cached_property
    def answers(self) -> list[Answer]:
        """The reference's own greedy answers to the items."""
        return self._model.answer([item.question for item in self.items])

    @torch.inference_mode()
    def logits(self, stretches: Sequence[Stretch]) -> list[Tensor]:
        """Float32 logits of stretches that all begin with the prefix, or of the prefix itself."""
        prefix = self._read if all(len(s.tokens) > len(self.prefix) for s in stretches) else read_prefix(self._reader, [])
        try:
            return _read_after(self._reader, prefix, stretches)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if len(stretches) == 1:
            raise OutOfMemory("out of memory with one text at a time")
        half = len(stretches) // 2
        return [*self.logits(stretches[:half]), *self.logits(stretches[half:])]

    @cached_property
    def _read(self) -> Prefix:
        return read_prefix(self._reader, list(self.prefix))


@dataclass(frozen=True)
class Place:
    """What a reference is computed in, and where."""

    precision: ReferencePrecision
    device: DeviceName


def _load(folder: Path) -> ResidentModel:
    source = open_source(str(folder.absolute()), relative_to=Path.cwd())
    count = sum(torch.Size(source.shape(name)).numel() for name in source.names)
    place = choose_place(count)
    try:
        return _placed(folder, source, place)
    except OutOfMemory:
        if place.device == "cpu":
            raise
    return _placed(folder, source, choose_place(count, ("cpu",)))


def _placed(folder: Path, source: Source, place: Place) -> ResidentModel:
    # On the CPU bf16 is taken for its size: products in float32 would hold float32 weights.
    small = place == Place("bf16", "cpu")
    model = build(folder, precision=place.precision, device=place.device, arithmetic="bfloat16" if small else "auto")
    model.load((name, source.read(name)) for name in source.names)
    return model


def choose_place(count: int, devices: Sequence[DeviceName] | None = None) -> Place:
    """Float32 wherever `count` weights fit, the GPU first: products in bf16 are themselves further from the weights than an F16
    file. Then bf16, on the CPU where it fits nowhere: there it can at least be swapped."""
    devices = devices or (("cuda", "cpu") if torch.cuda.is_available() else ("cpu",))
    precisions: tuple[ReferencePrecision, ...] = ("fp32", "bf16")
    for precision in precisions:
        for device in devices:
            if _ROOM * _BYTES[precision] * count < memory.available_bytes(torch.device(device)):
                return Place(precision, device)
    return Place("bf16", "cpu")


def _read_after(reader: Reader, prefix: Prefix, stretches: Sequence[Stretch]) -> list[Tensor]:
    skipped = len(prefix.tokens)
    own = [stretch.tokens[skipped:] for stretch in stretches]
    tokens = torch.zeros(len(own), max(map(len, own)), dtype=torch.int64)
    positions = torch.full_like(tokens, PADDING)
    for number, ids in enumerate(own):
        tokens[number, : len(ids)] = torch.tensor(ids)
        positions[number, : len(ids)] = torch.arange(skipped, skipped + len(ids))
    placed = PlacedTokens(*(x.to(reader.device) for x in (tokens, positions, torch.zeros_like(tokens))))
    cache = with_prefix(prefix.cache, len(own), tokens.shape[1])
    hidden = reader.read(placed, after_prefix(placed, skipped), cache)
    return [
        reader.head(hidden[number, stretch.start - skipped : len(stretch.tokens) - skipped])
        for number, stretch in enumerate(stretches)
    ]
