"""Where a run stands, read from its store: what `status` prints and the live display shows."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.run.agreement import read_agreement
from evomerge_core.run.candidate.fitness import best_child
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.run_folder.interruption import message_of
from evomerge_core.run.run_folder.state import state_of
from evomerge_core.run.store.facts import RunFacts, read_facts
from evomerge_core.run.store.records import Outcome
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.child_estimate import child_estimate
from evomerge_core.run.view.estimates import Estimate
from evomerge_core.run.view.expectation import expectation
from evomerge_core.run.view.result import Winner, read_result, winner_of
from evomerge_core.run.view.sound_records import sound_records
from evomerge_core.run.view.workers import WorkerSeen, workers_of

_RECENT = 15  # candidates whose median time stands for those to come


@dataclass(frozen=True)
class Scored:
    """A candidate's search score in 0..1, or why it has none; `mark` is what the coherence guard objects to."""

    label: str
    score: float | None
    loss: float | None
    failure: str | None
    mark: str | None = None


@dataclass(frozen=True)
class Progress:
    """A run at one moment. `state`: created, starting, running, paused, stopped, interrupted, finished or failed.

    `stage` is the present stage's name where a run has several. `evaluations` counts the search's candidates; `phase_done` of
    `phase_total` those of the phase; `seconds` is the time spent evaluating, `seconds_left` an estimate for the search, for
    validation or for the test, whichever is under way (None when unknown), `age` the seconds since the last event. `priority`
    is that of the last job: low or normal, None when there was none. `scored_on` is the device and what products are computed
    in, None before anything was scored. `best` is the search's best candidate so far and `best_estimate` what is known of it by
    other items, or likely; `chosen` is the label of the last stage's winner and
    `expectation` what is to be expected of it, in words, from the moment that it is known; `winner` is the finished run's.
    `precision_choice` says what `precision: auto` became and why, `agreement` how the search's precision ranks merges:
    sentences, None for nothing to say. `workers` score its candidates, none where its job does.
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
    winner: Winner | None = None
    chosen: str | None = None
    expectation: str | None = None
    precision_choice: str | None = None
    agreement: str | None = None
    workers: tuple[WorkerSeen, ...] = ()
    best_estimate: Estimate | None = None


def read_progress(folder: Path) -> Progress:
    """Reads a run's progress; the run is left as it is, and no lock is kept. DamagedStore for records that no run writes."""
    with sound_records(folder), closing(read_store(folder)) as store:
        return _progress(folder, store)


def _progress(folder: Path, store: Store) -> Progress:
    state, facts = state_of(folder, store), read_facts(store)
    scored = store.outcomes(split="search", precision=facts.precision)
    search = [outcome for outcome in scored if outcome.kind == "search"]
    best, events = best_child(search, facts), store.last_event_time()
    of_stage = [outcome for outcome in search if facts.stage is None or outcome.stage == facts.stage]
    done = _phase_done(store, facts, len(search), len(of_stage))
    result, agreement = read_result(folder) if state == "finished" else None, read_agreement(facts.agreement)
    return Progress(
        folder=str(folder),
        state=state,
        message=message_of(folder, state, facts),
        priority=facts.priority,
        precision=facts.precision,
        scored_on=facts.scored_on,
        stage=_stage_name(facts),
        phase=facts.phase,
        phase_done=done,
        phase_total=facts.phase_total,
        generation=facts.generation,
        evaluations=len(search),
        evaluations_total=facts.evaluations_total,
        failed=sum(outcome.score is None for outcome in search),
        best=None if best is None else _scored(best),
        parents=tuple(_scored(outcome) for outcome in scored if outcome.kind == "parent"),
        uniform=tuple(_scored(outcome) for outcome in scored if outcome.kind == "uniform"),
        seconds=facts.active_seconds,
        seconds_left=None if state == "finished" else _seconds_left(store, facts, of_stage, done),
        age=None if events is None else max(0.0, time.time() - events),
        tokens_generated=store.generated_tokens(),
        winner=None if result is None else winner_of(result),
        chosen=None if facts.winner is None else store.candidate(facts.winner).label,
        expectation=expectation(facts.expected.get(facts.precision)),
        precision_choice=facts.precision_choice,
        agreement=None if agreement is None else agreement.sentence,
        workers=tuple(workers_of(facts)),
        best_estimate=None if best is None else child_estimate(best, store.outcomes(precision=facts.precision), facts),
    )


def _scored(outcome: Outcome) -> Scored:
    return Scored(outcome.label, outcome.score, outcome.loss, outcome.failure, outcome.mark)


def _stage_name(facts: RunFacts) -> str | None:
    """The present stage's name where there are several."""
    if facts.stage is None or len(facts.stages) < 2:
        return None
    return facts.stages[facts.stage]["name"]


def _phase_done(store: Store, facts: RunFacts, searched: int, of_stage: int) -> int:
    if facts.phase is None or facts.phase == "search":
        return of_stage
    if facts.phase in ("votes", "judging"):
        return store.count_votes()
    if facts.phase == "references":
        return store.count_evaluations("search") - searched
    first = 0 if facts.stage is None else facts.first_generation(facts.stage)
    return store.count_evaluations(facts.phase, first)


def _seconds_left(store: Store, facts: RunFacts, of_stage: Sequence[Outcome], done: int) -> float | None:
    """Of the search, of validation, of the test; None before their first evaluation, and where nobody knows how many come."""
    later = facts.phase in ("validation", "test")
    evaluated = store.outcomes(split=facts.phase or "") if later else of_stage if facts.phase == "search" else ()
    recent = [outcome.seconds for outcome in evaluated[-_RECENT:]]
    left = math.ceil(max(0, (facts.phase_total or 0) - done) / facts.at_once)
    return statistics.median(recent) * left if recent and facts.phase_total else None
