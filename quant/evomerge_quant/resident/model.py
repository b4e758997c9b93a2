"""The model that stays in memory: built once, it takes candidates' weights and answers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.processor import card_arithmetic, processor_name
from evomerge_core.recipe.schema import ArithmeticSetting
from evomerge_core.run.candidate.held_model import MakeEvaluator
from evomerge_core.sources.pretrained import read_config
from evomerge_core.sources.vision.families import family_of
from evomerge_core.sources.vocabulary.child_vocabulary import ChildVocabulary
from evomerge_core.tasks.evaluator import Answer, Evaluator, Question
from evomerge_quant.resident import memory
from evomerge_quant.resident.answering.answering import answer_rows
from evomerge_quant.resident.answering.pictures import picture_tokens
from evomerge_quant.resident.answering.reader import Reader, make_reader
from evomerge_quant.resident.answering.room import lengths_of
from evomerge_quant.resident.answering.rows import QuestionRow, make_rows
from evomerge_quant.resident.answering.vocabulary import Vocabulary, read_vocabulary
from evomerge_quant.resident.network.fixed_order import fix_order
from evomerge_quant.resident.network.layered_config import with_layers
from evomerge_quant.resident.network.path_view import Route, view_path
from evomerge_quant.resident.network.plain_attention import attend_plainly_if_needed
from evomerge_quant.resident.network.skeleton import Precision, make_skeleton, place
from evomerge_quant.resident.network.weights import WeightSlots, make_slots, take_all
from evomerge_quant.resident.out_of_memory import NoRoom, OutOfMemory, is_out_of_memory
from evomerge_quant.resident.vision.scorable import language_config
from evomerge_quant.resident.vision.seen import Seen

Device = Literal["auto", "cpu", "cuda"]
# From this multiple of what was free when a batch didn't fit, a larger one is tried again.
_MORE = 1.1


@dataclass(frozen=True)
class _Parts:
    config: Any
    model: Any
    slots: WeightSlots
    reader: Reader
    vocabulary: Vocabulary
    fixed_order: bool
    image_token: int | None
    two_ways: bool = False


class ResidentModel:
    """An `Evaluator`: one candidate's weights at a time, answers in batches.

    Tokens go through all layers in their order, or by the route that `follow` was given last.

    `batch_size` (rows) fits itself to the free memory at the first answer, and is halved when memory runs out; once there is
    more again, the next candidate gets the old one back. Set it to a recorded value to get the same batches again.
    `compute_dtype` is what products are computed in. On the CPU in float32 they are added up in a fixed order: answers and
    log-probabilities are then the same on every processor, with any number of threads and any batch.
    """

    def __init__(self, parts: _Parts, precision: Precision, batch_size: int | None, sharing: int = 1) -> None:
        self._parts = parts
        self._reader = parts.reader
        self._precision = precision
        self._sharing = sharing
        self._loaded = False
        self._most_rows = batch_size
        self._free_when_short = 0
        self.batch_size = batch_size

    @property
    def precision(self) -> Precision:
        """The precision of the weights."""
        return self._precision

    @property
    def compute_dtype(self) -> torch.dtype:
        """The dtype that products are computed in."""
        return self._parts.reader.dtype

    @property
    def scored_on(self) -> str:
        """Where answers are computed and in what; without a processor's name, they are the same on every one. On a card also
        that its steps can't be recorded, from the first that couldn't on."""
        computed_in = str(self.compute_dtype).removeprefix("torch.")
        if self._parts.fixed_order:
            return f"CPU, {computed_in} in fixed order"
        if self.device.type == "cpu":
            return f"{processor_name()}, {computed_in}"
        steps = ", without CUDA graphs" if self.refused_recording else ""
        return f"{torch.cuda.get_device_name(self.device)}, {computed_in}{steps}"

    @property
    def refused_recording(self) -> str:
        """Why the card couldn't record a step of this model, which is then launched kernel by kernel; "" where it could."""
        return self._parts.reader.recording.refusal

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._parts.reader.device

    @property
    def module(self) -> Any:
        """The transformers model itself."""
        return self._parts.model

    @property
    def decoder(self) -> Any:
        """What tokens go through: the model's decoder, or its view by the route that is followed."""
        return self._reader.decoder

    @torch.no_grad()
    def load(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Takes a whole candidate. CandidateError names a tensor with NaN or Inf, or says that memory ran out (OutOfMemory);
        ValueError names a wrong or missing tensor."""
        self._loaded = False
        self._grow()
        self._reader = self._parts.reader
        try:
            take_all(self._parts.slots, tensors)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory("out of memory while the weights were merged and taken") from None
        self._loaded = True

    def follow(self, route: Route) -> None:
        """Sends tokens through the layers (number, scale of the layer's input) of `route` from now on, until the next load.

        Nothing is copied: the hops share the layers' weights.
        """
        decoder = view_path(self._parts.reader.decoder, route)
        self._reader = replace(self._parts.reader, decoder=decoder, layers=len(route))

    def see(self, seen: Mapping[str, Seen]) -> None:
        """Gives the model what its eyes make of every picture that questions will show, by the picture's sha256.

        ValueError for a model without eyes.
        """
        token = self._parts.image_token
        if token is None:
            raise ValueError("a text model can't see pictures")
        pictures = picture_tokens(seen, token, self._parts.reader.vocabulary, two_ways=self._parts.two_ways)
        self._parts = replace(self._parts, reader=replace(self._parts.reader, pictures=pictures))
        self._reader = replace(self._reader, pictures=pictures)

    @torch.inference_mode()
    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Greedy answers and log-likelihoods, in the order of the questions.

        InputError for a question that the model can't take; CandidateError when logits are not numbers, or when memory
        is too small for one row.
        """
        if not self._loaded:
            raise ValueError("the resident model holds no candidate; load one first")
        if not questions:
            return []
        parts = self._parts
        rows = make_rows(questions, parts.vocabulary, parts.config.max_position_embeddings, self._reader.pictures)
        while True:
            size = self.batch_size or min(self._fitting_batch(rows), self._most_rows or sys.maxsize)
            self.batch_size = size
            self._most_rows = self._most_rows or size
            try:
                return answer_rows(self._reader, rows, parts.vocabulary, size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            if size == 1:
                raise OutOfMemory("out of memory with one question at a time")
            self.batch_size = size // 2
            self._free_when_short = memory.available_bytes(self.device)

    def _grow(self) -> None:
        """Lets a batch that was made smaller fit itself anew once there is plainly more memory than there was then."""
        if self.batch_size is None or self.batch_size == self._most_rows:
            return
        if memory.available_bytes(self.device) > _MORE * self._free_when_short:
            self.batch_size = None

    def _fitting_batch(self, rows: Sequence[QuestionRow]) -> int:
        config, device = self._parts.config, self.device
        free = _own_share(memory.available_bytes(device), device, self._sharing)
        # a route may have more hops than the model has layers, and the next one more than this
        hops = max(config.num_hidden_layers, self._reader.layers)
        sizes = memory.pass_sizes(config, self._precision, self.compute_dtype, device.type, hops=hops)
        return memory.fit_batch(free, sizes, lengths_of(rows))


def build(
    folder: Path,
    *,
    precision: Precision,
    device: Device = "auto",
    arithmetic: ArithmeticSetting = "auto",
    layers: Sequence[int] | None = None,
    batch_size: int | None = None,
    speaks: ChildVocabulary | None = None,
    sharing: int = 1,
) -> ResidentModel:
    """A resident model of the shape of `folder` (its `config.json` and tokenizer; its weights are not read).

    `speaks` is what candidates speak with where that isn't what `folder` says: tokenizer, rows, ends.

    `layers` says what layers candidates have where those are not the folder's own: each is of the kind of one of these, given
    by its number. `sharing` processes like this one divide the RAM among them. InputError for a folder without config or
    tokenizer, an architecture that can't be scored, `cuda` where there is none, and a model that there is no room for (NoRoom).
    """
    place_on = choose_device(device)
    dtype = choose_dtype(precision, place_on, arithmetic)
    whole = read_config(folder)
    config = _candidate_config(folder, whole, layers, speaks)
    model = make_skeleton(config, precision, dtype)
    gc.collect()
    memory.keep_within_card(place_on)
    free = _own_share(memory.available_bytes(place_on), place_on, sharing)
    try:
        place(model, dtype, place_on, unpacked=memory.unpacked_fits(config, precision, dtype, place_on.type, free))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise _no_room(memory.resident_bytes(config, precision, dtype), free, precision, place_on) from None
    fixed = place_on.type == "cpu" and dtype == torch.float32 and fix_order(model)
    attend_plainly_if_needed(model, dtype, place_on)
    parts = _Parts(
        config,
        model,
        make_slots(model, rounded=precision != "fp32"),
        make_reader(model, dtype, place_on),
        read_vocabulary(folder) if speaks is None else read_vocabulary(speaks.folder, speaks.ends),
        fixed,
        getattr(whole, "image_token_id", None) if hasattr(whole, "vision_config") else None,
        family_of(whole.to_dict()).two_ways,
    )
    return ResidentModel(parts, precision, batch_size, sharing)


def evaluators(
    folder: Path,
    device: Device,
    arithmetic: ArithmeticSetting,
    speaks: ChildVocabulary | None = None,
    seen: Mapping[str, Seen] | None = None,
    *,
    sharing: int = 1,
) -> MakeEvaluator:
    """What builds a run's resident models as it needs them, all of the shape of `folder`, speaking alike, and seeing the same
    pictures, by sha256; `sharing` as in `build`."""

    def make(precision: Precision, layers: tuple[int, ...] | None, batch_size: int | None) -> Evaluator:
        model = build(
            folder,
            precision=precision,
            device=device,
            arithmetic=arithmetic,
            layers=layers,
            batch_size=batch_size,
            speaks=speaks,
            sharing=sharing,
        )
        if seen:
            model.see(seen)
        return model

    return make


def _own_share(free: int, device: torch.device, sharing: int) -> int:
    """Of the memory that is free now, what a model may count on; a card is its own."""
    return free // sharing if device.type == "cpu" else free


def choose_device(device: Device) -> torch.device:
    """The device that a recipe means; InputError for `cuda` where there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda: there is no CUDA device; use cpu or auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def choose_dtype(precision: Precision, device: torch.device, arithmetic: ArithmeticSetting) -> torch.dtype:
    """What products are computed in: for auto float32 on the CPU, whatever else it could do, and on a card bfloat16, or float16
    where that is emulated; for `fp32` always float32."""
    if precision == "fp32" or arithmetic == "float32":
        return torch.float32
    if arithmetic == "auto":
        arithmetic = card_arithmetic() if device.type == "cuda" else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[arithmetic]


def _no_room(needed: int, free: int, precision: Precision, device: torch.device) -> NoRoom:
    where = "the card" if device.type == "cuda" else "RAM"
    problem = f"out of memory: the model takes {needed / 1e9:.1f} GB in {precision}, {free / 1e9:.1f} GB of {where} are free"
    return NoRoom(problem, remedy="close other programs, or choose fewer bits or a smaller model")


def _candidate_config(folder: Path, whole: Any, layers: Sequence[int] | None, speaks: ChildVocabulary | None) -> Any:
    """The config of the language model in a folder's `whole` config, as candidates have it."""
    config = language_config(folder, whole)
    if speaks is not None and speaks.rows is not None:
        text = config.get_text_config()
        text.vocab_size = speaks.rows
        # Nothing is padded here, but no embedding is built with a padding token that it has no row for.
        text.pad_token_id = speaks.pad
    return config if layers is None else with_layers(config, layers)
