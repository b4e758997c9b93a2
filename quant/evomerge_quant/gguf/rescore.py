"""The best candidates of a run, scored as the files that would be shipped."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from evomerge_core.errors import InputError
from evomerge_core.files.durable import write_whole
from evomerge_core.files.full_disk import SPARE_BYTES, needs_room, resume_it
from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.candidate.scoring import evaluation_on, item_score
from evomerge_core.run.generation.finalists import best_of_search
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import WINNER
from evomerge_core.run.run_folder.scratch import SCRATCH, SCRATCH_LOCK, sweep_scratch
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import Candidate, Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.gguf.convert.convert import waiting_converter
from evomerge_quant.gguf.export import export
from evomerge_quant.gguf.plan import make_plan
from evomerge_quant.gguf.progress import ExportStep, OnStep
from evomerge_quant.gguf.proof.proof_items import proof_items
from evomerge_quant.gguf.quantize.file_types import FileType
from evomerge_quant.gguf.subject.export_paths import winner_exports
from evomerge_quant.gguf.subject.run_subject import subject_of_candidate
from evomerge_quant.llama.answering import GgufEvaluator
from evomerge_quant.llama.context import LlamaError
from evomerge_quant.llama.model import open_gguf

RESCORED = "rescored.json"
_SPLIT = "validation"


@dataclass(frozen=True)
class RescoredCandidate:
    """A candidate: scores in 0..1, by the resident model on the search items, and as a file on the validation items.

    `failure` says why the file has no score.
    """

    label: str
    search: float | None
    file: float | None
    loss: float | None
    failure: str | None


@dataclass(frozen=True)
class Rescored:
    """The candidates in the order of the search, and which of them is best as a file.

    `precision` is what the search scored in, `encoding` the files' type (`+imatrix` with an importance matrix), `winner` the
    run's own, `items` the number of validation items.
    """

    precision: str
    encoding: str
    items: int
    rows: tuple[RescoredCandidate, ...]
    best: str
    winner: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class MakeFile(Protocol):
    """Makes a candidate's file in a folder, and gives its path."""

    def __call__(self, candidate: Candidate, folder: Path, on_step: OnStep) -> Path: ...


def rescored_candidates(run: Path, setup: Setup, count: int) -> tuple[list[Candidate], Candidate]:
    """What `rescore` would score, and the run's winner among them; errors as there."""
    with closing(open_store(run)) as store:
        winner = _winner(run, setup, store, count)
        return _candidates(setup, store, winner, count), winner


def rescore(run: Path, setup: Setup, count: int, encoding: str, make: MakeFile, on_step: OnStep) -> Rescored:
    """Scores the run's winner and the best of the search, `count` in all, as files on the validation items.

    `encoding` names what `make` makes, such as `Q4_K_M` or `Q4_K_M+imatrix`.

    Each score goes to the run's store as soon as it is known, so that a second call does only what is missing; the table goes
    to `winner/rescored.json`. InputError for a run without winner or without validation items.
    """
    store = open_store(run)
    try:
        winner = _winner(run, setup, store, count)
        candidates = _candidates(setup, store, winner, count)
        with _scratch(run) as place:
            for number, candidate in enumerate(candidates, 1):
                what = f"rescore {candidate.label} ({number} of {len(candidates)})"
                _score(setup, store, candidate, encoding, lambda c, step: make(c, place, step), _within(on_step, what))
        rescored = _table(setup, store, candidates, winner, encoding)
    finally:
        store.close()
    write_whole(run / WINNER / RESCORED, json.dumps(rescored.to_json(), indent=2) + "\n", mode=0o600)
    return rescored


def score_file(setup: Setup, gguf: Path, split: str) -> tuple[Evaluation, list[ItemScore]]:
    """A GGUF on a split of a run's items, scored by the run's own tasks; a file that can't be scored fails with its reason."""
    asked = setup.plan.asked[split]
    started = time.perf_counter()
    try:
        with open_gguf(gguf) as model:
            answers = GgufEvaluator(model).answer([a.question for a in asked])
    except (CandidateError, LlamaError) as failure:
        return Evaluation(None, None, str(failure), time.perf_counter() - started, 0), []
    items = [item_score(a, answer) for a, answer in zip(asked, answers, strict=True)]
    return evaluation_on(setup.plan, items, time.perf_counter() - started), items


def exporter(run: Path, setup: Setup, wanted: FileType, converter: Path, *, imatrix: bool) -> MakeFile:
    """Makes files exactly as an export does, without verification."""
    calibration = proof_items(setup, "search") if imatrix else ()

    def make(candidate: Candidate, folder: Path, on_step: OnStep) -> Path:
        try:
            plan = make_plan(subject_of_candidate(setup, run, candidate), (wanted,), folder, imatrix=imatrix)
            with waiting_converter(converter) as process:
                return export(plan, process, on_step, prove=None, calibration=calibration).files[0].path
        except InputError as error:
            raise error.naming({str(folder): str(winner_exports(run))}) from error

    return make


def _winner(run: Path, setup: Setup, store: Store, count: int) -> Candidate:
    if count < 1:
        raise InputError(f"--rescore {count}: must be above 0")
    if not setup.plan.items(_SPLIT):
        raise InputError(f"--rescore: {run} has no validation items; give `splits: validation` in the recipe of a new run")
    winner = read_facts(store).winner
    if winner is None:
        raise InputError(f"--rescore: {run} has no winner yet; finish it with {resume_it(run)}")
    return store.candidate(winner)


def _candidates(setup: Setup, store: Store, winner: Candidate, count: int) -> list[Candidate]:
    best = best_of_search(setup.plan, setup.plan.stages[-1], store, count)
    return best if winner.id in [c.id for c in best] else [*best[: count - 1], winner]


def _score(
    setup: Setup,
    store: Store,
    candidate: Candidate,
    encoding: str,
    make: Callable[[Candidate, OnStep], Path],
    on_step: OnStep,
) -> None:
    if store.evaluation(candidate.id, _SPLIT, encoding) is not None:
        return
    file = make(candidate, on_step)
    on_step(ExportStep("score"))
    evaluation, items = score_file(setup, file, _SPLIT)
    store.save_evaluation(candidate.twin or candidate.id, _SPLIT, encoding, evaluation, items)
    file.unlink()


def _table(setup: Setup, store: Store, candidates: list[Candidate], winner: Candidate, encoding: str) -> Rescored:
    found = [(c, store.evaluation(c.id, _SPLIT, encoding)) for c in candidates]
    searched = {c.id: store.evaluation(c.id, "search", setup.plan.precision) for c in candidates}
    rows = [
        RescoredCandidate(
            c.label, _score_of(searched[c.id]), _score_of(e), e.loss if e else None, e.failure if e else "not scored"
        )
        for c, e in found
    ]
    fit = {c.label: f for c, e in found if e is not None and (f := fitness(e, setup.plan.items(_SPLIT))) is not None}
    if not fit:
        raise InputError(f"--rescore: none of the files could be scored ({rows[0].failure}); use another type")
    # Equal files: the run's own winner stays.
    best = max(fit, key=lambda label: (fit[label], label == winner.label))
    return Rescored(setup.plan.precision, encoding, setup.plan.items(_SPLIT), tuple(rows), best, winner.label)


def _score_of(evaluation: Evaluation | None) -> float | None:
    return None if evaluation is None else evaluation.score


def _within(on_step: OnStep, what: str) -> OnStep:
    return lambda step: on_step(ExportStep(f"{what}: {step.what}", step.share))


@contextmanager
def _scratch(run: Path) -> Iterator[Path]:
    """A folder on the run's disk, removed afterwards; what a killed rescoring left goes first."""
    sweep_scratch(run)
    with needs_room(run, SPARE_BYTES):
        place = tempfile.TemporaryDirectory(prefix=SCRATCH, dir=run)
    with place as folder, FileLock(Path(folder, SCRATCH_LOCK)):
        yield Path(folder)
