"""A worker: the job's models opened on its own machine, and one resident model that takes every candidate's weights."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import psutil

from evomerge_core.errors import InputError
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.run.candidate.crew import Order
from evomerge_core.run.candidate.held_model import HeldModel, MakeEvaluator
from evomerge_core.run.candidate.scoring import Answered, answers_of
from evomerge_core.run.compare_precisions import Shipped
from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.file_marks import FileMark, change_of, mark_file
from evomerge_core.sources.tokens import align_all
from evomerge_core.sources.vocabulary.child_vocabulary import ChildVocabulary, child_vocabulary
from evomerge_core.sources.vocabulary.own_head import with_heads_as
from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.planning.machine.capacity import measure_capacity
from evomerge_quant.planning.precision import shipped_for
from evomerge_quant.resident.model import evaluators
from evomerge_quant.resident.vision.kept_features import read_kept
from evomerge_quant.resident.vision.seen import Seen
from evomerge_quant.workers.found_models import open_found
from evomerge_quant.workers.run_description import PROCESSOR, RunDescription, versions


@dataclass(frozen=True)
class Opened:
    """A worker that is ready: its machine and process, the card or processor that it computes on, and that device's memory in
    bytes. `lacks_pictures`: it has to be given what the base makes of the run's pictures."""

    host: str
    process: int
    device: str
    memory: int
    lacks_pictures: bool


@dataclass(frozen=True)
class _Models:
    described: RunDescription
    sources: Mapping[str, Source]
    base: Source
    speaks: ChildVocabulary
    marks: tuple[FileMark, ...]


class Worker:
    """Answers orders one at a time; `sharing` workers use this machine's RAM. Errors are those of the job's own evaluator, and
    an `InputError` names this machine."""

    def __init__(self, sharing: int) -> None:
        self._sharing = sharing
        self._models: _Models | None = None
        self._seen: Mapping[str, Seen] = {}
        self._own: HeldModel | None = None
        self._shipped: HeldModel | None = None

    def open(self, described: RunDescription) -> Opened:
        """Opens the run's models; InputError for one that isn't on this machine, and for other versions of the libraries."""
        self._own = self._shipped = None
        try:
            self._require_same_versions(described)
            found = open_found(described)
        except InputError as error:
            raise error.within(socket.gethostname()) from None
        found = with_heads_as(found[described.recipe.base], found)
        sources = align_all(found[described.tokenizer], found)
        speaks = child_vocabulary(sources[described.tokenizer], sources.values())
        files = {path for source in sources.values() for path in source.files}
        marks = tuple(mark_file(path) for path in sorted(files))
        self._models = _Models(described, sources, sources[described.recipe.base], speaks, marks)
        kept = {sha256: read_kept(Path(described.features), sha256) for sha256 in described.pictures}
        self._seen = {sha256: seen for sha256, seen in kept.items() if seen is not None}
        capacity = measure_capacity(described.recipe.evaluation.device)
        lacks = len(self._seen) < len(described.pictures)
        return Opened(socket.gethostname(), os.getpid(), capacity.name, capacity.total, lacks)

    def see(self, seen: Mapping[str, Seen]) -> None:
        """What the base makes of the run's pictures, by sha256."""
        self._seen = seen

    def pulse(self) -> None:
        """A sign of life, asked for while it answers."""

    def answer(self, order: Order) -> Answered:
        """Loads a candidate and asks it."""
        self._require_unchanged()
        began = perf_counter()
        try:
            held = self._held_for(order)
            slot = held.slot(order.loadable, order.layers, order.kind.precision, order.rows)
        except CandidateError as failure:
            made = perf_counter() - began
            return Answered((), (), str(failure), None, made, made, elsewhere=failure.elsewhere, made_seconds=made)
        made = perf_counter() - began
        answered = answers_of(slot, order.questions, neutral=order.neutral, gate=order.gate)
        self._require_unchanged()
        return replace(answered, made_seconds=made)

    def lacks_for_shipped(self) -> str:
        """What a model in what ships would take that isn't here, in words; "" where there is room."""
        self._give_up(self._own)
        return self._find_shipped().lacking

    def _held_for(self, order: Order) -> HeldModel:
        # two models at once may not fit
        if order.kind.shipped:
            self._give_up(self._own)
            if self._shipped is None:
                found = self._find_shipped()
                if found.make is None:
                    raise CandidateError(found.lacking)
                self._shipped = self._held(found.make)
            return self._shipped
        self._give_up(self._shipped)
        self._shipped = None
        if self._own is None:
            models = self._open_models()
            evaluation, folder = models.described.recipe.evaluation, models.base.folder
            self._own = self._held(
                evaluators(folder, evaluation.device, evaluation.arithmetic, models.speaks, self._seen, sharing=self._sharing)
            )
        return self._own

    def _find_shipped(self) -> Shipped:
        models = self._open_models()
        return shipped_for(models.described.recipe, models.base, models.speaks, self._seen, sharing=self._sharing)()

    def _held(self, make: MakeEvaluator) -> HeldModel:
        models = self._open_models()
        engine = MergeEngine(models.sources, seed=models.described.recipe.seed, reuses_memory=True)
        return HeldModel(models.sources, engine, models.described.layers, make)

    def _open_models(self) -> _Models:
        assert self._models is not None, "open comes first"
        return self._models

    def _give_up(self, held: HeldModel | None) -> None:
        if held is not None:
            held.release()

    def _require_unchanged(self) -> None:
        for mark in self._open_models().marks:
            change = change_of(mark)
            if change is not None:
                where = f"{socket.gethostname()}: {mark.path}"
                remedy = "restore it, and resume the run"
                raise InputError(f"{change} while the job ran", where=where, remedy=remedy)

    def _require_same_versions(self, described: RunDescription) -> None:
        for name, here in versions().items():
            there = described.versions.get(name)
            if here != there:
                remedy = "use machines of one kind" if name == PROCESSOR else f"install {name} {there} there"
                remedy = f"{remedy}: others may score otherwise"
                raise InputError(f"has {name} {here}, and the job's machine has {there}", where="versions", remedy=remedy)


def kill_process(number: int) -> None:
    """Kills a process of this machine, if it is still there."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(number).kill()
