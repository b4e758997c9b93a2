"""Where a run stands, read from its store: what `status` prints and the live display shows."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.run.states import LIVE
from evomerge_core.run.store.folder import is_held, open_store
from evomerge_core.run.store.store import Candidate, Evaluation, Store

_RECENT = 15  # candidates whose median time stands for those to come


@dataclass(frozen=True)
class Scored:
    """A candidate's search score in 0..1, or why it has none."""

    label: str
    score: float | None
    loss: float | None
    failure: str | None


@dataclass(frozen=True)
class Progress:
    """A run at one moment. `state`: created, starting, running, paused, stopped, interrupted, finished or failed.

    `stage` is the present stage's name where a run has several. `evaluations` counts the search's candidates; `phase_done` of
    `phase_total` those of the phase; `seconds` is the time spent evaluating, `seconds_left` an estimate for the search (None
    when unknown), `age` the seconds since the last event. `priority` is that of the job that was at work last: low or normal,
    None when none was. `scored_on` is the device and what products are computed in, None before anything was scored.
    """

    folder: str
    state: str
    message: str | None
    priority: str | None
    precision: str
    scored_on: str | None
    stage: str | None
    phase: str | None
    phase_done: int
    phase_total: int | None
    generation: int
    evaluations: int
    evaluations_total: int | None
    failed: int
    best: Scored | None
    parents: tuple[Scored, ...]
    uniform: tuple[Scored, ...]
    seconds: float
    seconds_left: float | None
    age: float | None
    tokens_generated: int


def read_progress(folder: Path) -> Progress:
    """Reads a run's progress; nothing is written and no lock is kept."""
    store = open_store(folder)
    try:
        return _progress(folder, store)
    finally:
        store.close()


def _progress(folder: Path, store: Store) -> Progress:
    state = state_of(folder, store)
    precision, total = store.fact("precision", "nf4"), store.fact("evaluations_total")
    scored = store.scored("search", precision)
    search = [(c, e) for c, e in scored if c.kind == "search"]
    fine = [(c, e) for c, e in search if e.score is not None]
    best = max(fine, key=lambda ce: (ce[1].score or 0.0, -(ce[1].loss or 0.0)), default=None)
    phase, (stage, first) = store.fact("phase"), _stage(store)
    of_stage = [(c, e) for c, e in search if c.generation is not None and c.generation >= first]
    events = store.last_event_time()
    return Progress(
        folder=str(folder),
        state=state,
        message=store.fact("message"),
        priority=store.fact("priority"),
        precision=precision,
        scored_on=store.fact("scored_on"),
        stage=stage,
        phase=phase,
        phase_done=_phase_done(store, phase, len(search), len(of_stage), first),
        phase_total=store.fact("phase_total"),
        generation=store.fact("generation", 0),
        evaluations=len(search),
        evaluations_total=total,
        failed=len(search) - len(fine),
        best=None if best is None else _scored(*best),
        parents=tuple(_scored(c, e) for c, e in scored if c.kind == "parent"),
        uniform=tuple(_scored(c, e) for c, e in scored if c.kind == "uniform"),
        seconds=store.fact("active_seconds", 0.0),
        seconds_left=_seconds_left(of_stage, store.fact("phase_total")) if phase == "search" else None,
        age=None if events is None else max(0.0, time.time() - events),
        tokens_generated=store.generated_tokens(),
    )


def state_of(folder: Path, store: Store) -> str:
    """The run's state, `interrupted` when its job has gone without a word.

    A job says how it ended before it lets its lock go: so the lock is looked at first, and then what was said."""
    held = is_held(folder)
    state: str = store.fact("state")
    return "interrupted" if state in LIVE and not held else state


def _scored(candidate: Candidate, evaluation: Evaluation) -> Scored:
    return Scored(candidate.label, evaluation.score, evaluation.loss, evaluation.failure)


def _stage(store: Store) -> tuple[str | None, int]:
    """The present stage's name where there are several, and its first generation."""
    stages, index = store.fact("stages", []), store.fact("stage")
    if index is None:
        return None, 0
    return (stages[index]["name"] if len(stages) > 1 else None), store.fact("stage_starts", [0])[index]


def _phase_done(store: Store, phase: str | None, searched: int, of_stage: int, first: int) -> int:
    if phase in (None, "search"):
        return of_stage
    if phase == "references":
        return store.count_evaluations("search") - searched
    return store.count_evaluations(phase, first)


def _seconds_left(search: list[tuple[Candidate, Evaluation]], total: int | None) -> float | None:
    recent = [e.seconds for _, e in search[-_RECENT:]]
    return statistics.median(recent) * (total - len(search)) if recent and total else None
